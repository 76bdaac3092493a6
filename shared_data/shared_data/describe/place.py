"""Where the pixels of a file lie: coordinate reference system and transform, as descriptions write them."""

import importlib
import math
from collections.abc import Mapping
from typing import Any

from shared_data.scenes.catalogue import Georeference

_GEOGRAPHIC = "EPSG:4326"


def envi_georeference(entries: Mapping[str, Any]) -> tuple[Georeference | None, str]:
    """From `map info` and `coordinate system string` of an ENVI header; or None, with the reason in a sentence.

    No reason where the header says nothing of a place.
    """
    info = [str(part).strip() for part in entries.get("map info", [])]
    if not info or info[0].lower() == "arbitrary":
        return None, ""
    try:
        transform = _envi_transform(info)
    except (ValueError, IndexError):
        return None, "the map info of the header cannot be read: no georeference is written"
    crs = _envi_crs(entries, info)
    if crs is None:
        return None, f"the header names no coordinate system for its projection {info[0]}: no georeference is written"
    return Georeference(crs, transform), ""


def _envi_transform(info: list[str]) -> tuple[float, ...]:
    """In GDAL's order. `map info` gives a pixel, its corner counted from 1, its place, pixel sizes and a rotation.

    A rotation is read as GDAL does (also with pixels that are not square), so that maps lie on the cube elsewhere.
    """
    column, row, x, y, width, height = (float(part) for part in info[1:7])
    turned = next((part.split("=")[1] for part in info if part.lower().replace(" ", "").startswith("rotation=")), "0")
    sine, cosine = math.sin(math.radians(float(turned))), math.cos(math.radians(float(turned)))
    left, top = x - (column - 1) * width, y + (row - 1) * height
    return left, cosine * width, sine * width, top, sine * height, -cosine * height


def _envi_crs(entries: Mapping[str, Any], info: list[str]) -> str | None:
    wkt = entries.get("coordinate system string")
    if wkt:
        # the header's parser takes the commas of the text for those of a list
        return named_crs(wkt if isinstance(wkt, str) else ",".join(wkt))
    on_wgs84 = any(part.lower().replace("-", "").replace(" ", "") == "wgs84" for part in info)
    if on_wgs84 and info[0].lower() == "utm" and info[7].isdecimal() and 1 <= int(info[7]) <= 60:
        return f"EPSG:{(32700 if info[8].lower() == 'south' else 32600) + int(info[7])}"
    return _GEOGRAPHIC if on_wgs84 and info[0].lower() == "geographic lat/lon" else None


def named_crs(wkt: str) -> str:
    """EPSG:<number> where rasterio is installed and knows the number, else the WKT."""
    try:
        crs = importlib.import_module("rasterio.crs").CRS.from_wkt(wkt, morph_from_esri_dialect="EPSG" not in wkt)
        number = crs.to_epsg()
    except Exception:  # not installed, or no WKT that PROJ knows
        return wkt
    return wkt if number is None else f"EPSG:{number}"
