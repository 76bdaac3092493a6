"""Readers: one module per file format, each with a function that gives a Source."""

from pathlib import Path

from shared_data.describe.arrays import Source
from shared_data.describe.readers.envi import header_of, open_envi
from shared_data.describe.readers.hdf5 import is_hdf5, open_hdf5
from shared_data.describe.readers.matlab import open_mat
from shared_data.describe.readers.numpy_file import open_npy
from shared_data.describe.readers.raster import KINDS, open_raster
from shared_data.errors import SceneFormatError
from shared_data.scenes.mat import looks_like_html

FORMATS = "MATLAB (.mat), HDF5 (.h5), numpy (.npy), ENVI (.hdr with the image beside it) or GeoTIFF (.tif)"


def open_source(path: Path) -> Source:
    """The arrays of a file, by what is in it and, where that does not say, by its extension.

    Raises: SceneFormatError where it cannot be read, is of no known format, or its reader's package is not installed.
    """
    if not path.is_file():
        what = "it is a folder: name a file" if path.is_dir() else "there is no such file; check the path"
        raise SceneFormatError(f"{path}: {what}.")
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
    except OSError as error:
        raise SceneFormatError(f"{path}: the file cannot be read ({error.strerror or error}).") from error
    suffix = path.suffix.lower()
    if is_hdf5(start):
        return open_hdf5(path, start)
    if suffix == ".mat":
        return open_mat(path)
    if suffix == ".npy":
        return open_npy(path)
    if suffix in KINDS:
        return open_raster(path)
    header = header_of(path)
    if header is not None:
        return open_envi(path, header)
    found = "a web page (HTML)" if looks_like_html(start) else "an empty file" if not start else "another format"
    raise SceneFormatError(f"{path}: expected {FORMATS}, found {found}; save the data in one of these formats.")
