"""GeoTIFF, and pictures of labels (PNG, BMP), read by rasterio in windows."""

import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from shared_data.describe.arrays import AS_STORED, Header, Source, StoredArray, Window, reordered
from shared_data.describe.packages import needed, reading
from shared_data.describe.place import named_crs
from shared_data.files.plain import read_text
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Georeference

KINDS = {".tif": "a GeoTIFF file", ".tiff": "a GeoTIFF file", ".png": "a PNG file", ".bmp": "a BMP file"}
# GDAL has others, which follow addresses in a file
_DRIVERS = {"a GeoTIFF file": "GTiff", "a PNG file": "PNG", "a BMP file": "BMP"}
_TAG = "CLASS_"  # of the metadata of a band, before a label
_MOST_XML_BYTES = 10**6
_MOST_COMPRESSION = 10**5  # of ZSTD; and pieces of zeros may be left out


def open_raster(path: Path) -> Source:
    """The bands of the file as one array, (H, W) where there is one.

    Raises: SceneFormatError where the file cannot be read or rasterio is not installed.
    """
    kind = KINDS[path.suffix.lower()]
    rasterio = needed("rasterio", path, kind)
    with reading(path, kind), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a file without georeference
        image = rasterio.open(str(path), driver=_DRIVERS[kind])
    shape = (image.height, image.width) + ((image.count,) if image.count > 1 else ())

    def open_array(_name: str) -> tuple[StoredArray, Header]:
        with reading(path, kind):
            return _stored(path, kind, rasterio, image), _header(path, image)

    return Source(path, path, kind.split(" ", 1)[1], False, {path.stem: shape}, open_array)


def _stored(path: Path, kind: str, rasterio: Any, image: Any) -> StoredArray:
    dtypes = {np.dtype(name) for name in image.dtypes}
    dtype = np.result_type(*dtypes)
    if dtype.kind not in "iuf":
        raise ValueError("its numbers are complex")
    claimed = image.count * image.height * image.width * dtype.itemsize
    if claimed > path.stat().st_size * _MOST_COMPRESSION:
        raise ValueError(f"it claims {image.count} bands of {image.height}×{image.width}, more than it can hold")
    rows, columns = image.block_shapes[0]

    def read(window: Window) -> np.ndarray:
        bands, *place = (part.indices(length) for part, length in zip(window, (image.count, *image.shape)))
        with reading(path, kind):
            return image.read(
                [number + 1 for number in range(*bands)],
                window=rasterio.windows.Window.from_slices(*(slice(*part[:2]) for part in place)),
                out_dtype=dtype,
            )

    array = StoredArray((image.count, *image.shape), dtype, read, (1, rows, columns))
    array = reordered(array, (1, 2, 0))
    return array if image.count > 1 else _only_band(array)


def _only_band(array: StoredArray) -> StoredArray:
    assert array.chunk is not None
    return StoredArray(
        array.shape[:2], array.dtype, lambda window: array.read((*window, slice(None)))[:, :, 0], array.chunk[:2]
    )


def _header(path: Path, image: Any) -> Header:
    georeference, notes = _georeference(image)
    colours = {}
    if image.count == 1 and image.colorinterp[0].name == "palette":
        colours = {label: "#{:02x}{:02x}{:02x}".format(*rgba) for label, rgba in image.colormap(1).items()}
    scaled = any(scale != 1 for scale in image.scales) or any(offset != 0 for offset in image.offsets)
    if scaled:
        notes += (AS_STORED,)
    return Header(
        fill_values=tuple(dict.fromkeys(float(value) for value in image.nodatavals if value is not None)),
        class_names=_class_names(path, image.tags(1)),
        class_colours=colours,
        georeference=georeference,
        bands_last=True,
        picture=[one.name for one in image.colorinterp[:3]] == ["red", "green", "blue"],
        notes=notes,
    )


def _georeference(image: Any) -> tuple[Georeference | None, tuple[str, ...]]:
    if image.transform.is_identity:
        return None, ()
    if image.crs is None:
        return None, ("the file gives the size of pixels, but no coordinate system: no georeference is written",)
    return Georeference(named_crs(image.crs.to_wkt()), tuple(image.transform.to_gdal())), ()


def _class_names(path: Path, tags: dict[str, str]) -> dict[int, str]:
    """By label: from the band's metadata (CLASS_1=...), or the file that GDAL keeps beside a raster for such names."""
    found = {name[len(_TAG) :]: text for name, text in tags.items() if name.startswith(_TAG)}
    names = {int(label): text for label, text in found.items() if label.isdecimal()}
    beside = path.with_name(path.name + ".aux.xml")
    if not names and beside.is_file():
        tree = ElementTree.fromstring(read_text(beside, _MOST_XML_BYTES))
        names = {label: one.text or "" for label, one in enumerate(tree.iter("Category"))}
    return {label: one_line(name.strip(), 100) for label, name in names.items()}
