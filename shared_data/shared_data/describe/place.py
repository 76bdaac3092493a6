"""Where the pixels of a file lie: coordinate reference system and transform, as descriptions write them."""

import importlib
import math
from collections.abc import Mapping
from typing import Any

from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Georeference

_GEOGRAPHIC = "EPSG:4326"


def envi_georeference(entries: Mapping[str, Any]) -> tuple[Georeference | None, str]:
    """From `map info` and `coordinate system string` of an ENVI header; or None, with the reason in a sentence.

    No reason where the header says nothing of a place.
    """
    info = [str(part).strip() for part in entries.get("map info", [])]
    if not info or info[0].lower() == "arbitrary":
        return None, ""
    wkt = entries.get("coordinate system string", "")
    # the header's parser takes the commas of the text for those of a list
    wkt = wkt if isinstance(wkt, str) else ",".join(wkt)
    unit = _named_part(info, "units", "Meters")
    if not _is_unit_of(wkt, unit):
        found = one_line(unit, 40)
        return None, f"the map info of the header is in {found}, not in Meters or Degrees: no georeference is written"
    try:
        transform = _envi_transform(info)
    except (ValueError, IndexError):
        return None, "the map info of the header cannot be read: no georeference is written"
    crs = named_crs(wkt) if wkt else _envi_crs(info)
    if crs is None:
        return None, f"the header names no coordinate system for its projection {info[0]}: no georeference is written"
    return Georeference(crs, transform), ""


def _envi_transform(info: list[str]) -> tuple[float, ...]:
    """In GDAL's order. `map info` gives a pixel, its corner counted from 1, its place, pixel sizes and a rotation.

    A rotation is read as GDAL does (also with pixels that are not square), so that maps lie on the cube elsewhere: 180
    means rows from south to north, with columns as they are.
    """
    column, row, x, y, width, height = (float(part) for part in info[1:7])
    turned = float(_named_part(info, "rotation", "0"))
    left, top = x - (column - 1) * width, y + (row - 1) * height
    if abs(turned) == 180:
        return left, width, 0.0, top, 0.0, height
    sine, cosine = math.sin(math.radians(turned)), math.cos(math.radians(turned))
    return left, cosine * width, sine * width, top, sine * height, -cosine * height


def _named_part(info: list[str], name: str, default: str) -> str:
    """What stands behind `name=` in `map info`."""
    pairs = (part.split("=", 1) for part in info if "=" in part)
    return next((value.strip() for key, value in pairs if key.strip().lower() == name), default)


def _is_unit_of(wkt: str, unit: str) -> bool:
    """Whether the numbers of `map info` in this unit can stand beside the coordinate system; wkt: "" for none."""
    unit = unit.lower()
    return unit.startswith(("met", "deg")) or (unit == "feet" and "foot" in wkt.lower())


def _envi_crs(info: list[str]) -> str | None:
    """Without a `coordinate system string`."""
    on_wgs84 = any(part.lower().replace("-", "").replace(" ", "") == "wgs84" for part in info)
    if on_wgs84 and info[0].lower() == "utm" and info[7].isdecimal() and 1 <= int(info[7]) <= 60:
        return f"EPSG:{(32700 if info[8].lower() == 'south' else 32600) + int(info[7])}"
    return _GEOGRAPHIC if on_wgs84 and info[0].lower() == "geographic lat/lon" else None


def named_crs(wkt: str) -> str:
    """EPSG:<number> where rasterio is installed and knows the number, else the WKT."""
    try:
        number = _by_rasterio(wkt).to_epsg()
    except Exception:  # not installed, or no WKT that PROJ knows
        return wkt
    return wkt if number is None else f"EPSG:{number}"


def same_crs(one: str, other: str) -> bool:
    """False only where rasterio knows both, and that they differ: one system has many texts."""
    if one == other:
        return True
    try:
        return bool(_by_rasterio(one) == _by_rasterio(other))
    except Exception:  # as above
        return True


def _by_rasterio(crs: str) -> Any:
    """Raises: ImportError, CRSError and others."""
    return importlib.import_module("rasterio.crs").CRS.from_user_input(crs, morph_from_esri_dialect="EPSG" not in crs)
