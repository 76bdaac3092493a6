"""HDF5 files (also netCDF 4), and MATLAB files of version 7.3, which are HDF5 with their axes in reverse order."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from shared_data.describe.arrays import AS_STORED, Header, Source, StoredArray, Window, by, reordered
from shared_data.describe.packages import needed, reading
from shared_data.errors import SceneFormatError
from shared_data.quoting import one_line

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MATLAB = b"MATLAB 7.3"
_FILL_ATTRIBUTES = ("_FillValue", "missing_value", "nodata", "data ignore value")
_MOST_COMPRESSION = 1032  # of deflate; HDF5's other filters reach less


def is_hdf5(start: bytes) -> bool:
    """By the first kilobyte of a file: MATLAB writes 512 bytes of its own before."""
    return start.startswith((SIGNATURE, _MATLAB)) or start[512:520] == SIGNATURE


def open_hdf5(path: Path, start: bytes) -> Source:
    """Every dataset of real numbers, by its path in the file, with MATLAB's axes put right. start: its first bytes.

    Raises: SceneFormatError where the file cannot be read or h5py is not installed.
    """
    kind = "a MATLAB 7.3 file (HDF5)" if start.startswith(_MATLAB) else "an HDF5 file"
    h5py = needed("h5py", path, kind)
    datasets: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        # MATLAB keeps the contents of cells under #refs#; a dataset may have no shape
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf" and item.shape and not name.startswith("#"):
            datasets[name] = item

    with reading(path, kind):
        h5py.File(str(path), "r").visititems(visit)
        reverse = {name for name, item in datasets.items() if start.startswith(_MATLAB) or "MATLAB_class" in item.attrs}
        shapes = {name: item.shape[::-1] if name in reverse else item.shape for name, item in datasets.items()}

    def open_array(name: str) -> tuple[StoredArray, Header]:
        with reading(path, kind):
            array = _stored(path, kind, name, datasets[name])
            fill_values = tuple(dict.fromkeys(_attributes(datasets[name], *_FILL_ATTRIBUTES)))
            notes: tuple[str, ...] = (AS_STORED,) if _is_scaled(datasets[name]) else ()
        if name not in reverse:
            return array, Header(fill_values, notes=notes)
        notes += ("MATLAB 7.3 stores the axes of an array in reverse order: they are put right",)
        return reordered(array, tuple(reversed(range(len(array.shape))))), Header(fill_values, notes=notes)

    return Source(path, path, kind.split(" ", 1)[1], True, shapes, open_array)


def _stored(path: Path, kind: str, name: str, dataset: Any) -> StoredArray:
    """Raises: SceneFormatError where the numbers lie outside of the file, or it cannot hold so many."""
    if dataset.external or dataset.is_virtual:
        raise SceneFormatError(
            f"{path}: the numbers of '{one_line(name)}' lie in other files; copy them into one file first."
        )
    claimed = math.prod(dataset.shape) * dataset.dtype.itemsize
    if claimed > path.stat().st_size * _MOST_COMPRESSION:
        raise SceneFormatError(
            f"{path}: '{one_line(name)}' claims the shape {by(dataset.shape)}, more than the file can hold; "
            "write it anew."
        )
    is_mask = dataset.dtype.kind == "b"
    dtype = np.dtype(np.uint8) if is_mask else dataset.dtype.newbyteorder("=")

    def read(window: Window) -> np.ndarray:
        with reading(path, kind):
            return np.asarray(dataset[window]).astype(dtype, copy=False)

    return StoredArray(dataset.shape, dtype, read, dataset.chunks)


def _is_scaled(dataset: Any) -> bool:
    """Whether it has a factor other than 1, or an addend other than 0, for its numbers, as netCDF names them."""
    factors, addends = _attributes(dataset, "scale_factor"), _attributes(dataset, "add_offset")
    return any(number != 1 for number in factors) or any(number != 0 for number in addends)


def _attributes(dataset: Any, *names: str) -> list[float]:
    """All numbers in the attributes of these names."""
    values = [np.asarray(dataset.attrs.get(name, [])) for name in names]
    return [number for value in values if value.dtype.kind in "iuf" for number in value.ravel().tolist()]
