"""Numpy's .npy files, memory-mapped."""

from pathlib import Path

import numpy as np

from shared_data.describe.arrays import Header, Source, StoredArray, of_array
from shared_data.errors import SceneFormatError
from shared_data.files.npz import read_header, read_npy
from shared_data.quoting import one_line
from shared_data.scenes.mapped import open_mapped

_NUMBER_NAMES = (
    "number the classes, if these are their names (in Python: names, numbers = numpy.unique(labels.astype(str), "
    "return_inverse=True); numpy.save('labels.npy', numbers.reshape(labels.shape)))"
)


def open_npy(path: Path) -> Source:
    """The one array of the file. Raises: SceneFormatError."""
    try:
        with open(path, "rb") as file:
            shape, by_columns, dtype = read_header(file)
    except Exception as error:  # numpy parses the header as Python; damaged bytes may raise any exception
        raise SceneFormatError(
            f"{path}: the header of the numpy file cannot be read ({one_line(error, 160) or type(error).__name__}); "
            "write the file anew with numpy.save."
        ) from error
    _check_numbers(path, dtype)
    by_rows = not by_columns or sum(side > 1 for side in shape) <= 1  # of one axis both orders are the same

    def open_array(_name: str) -> tuple[StoredArray, Header]:
        if dtype.kind == "b":  # a mask as labels of one class; papers read numbers
            return of_array(_whole(path).view(np.uint8), False), Header()
        usable = dtype.isnative and by_rows and path.suffix == ".npy"
        return of_array(open_mapped(path, shape, any_order=True), usable), Header()

    return Source(path, path, "numpy file", False, {path.stem: shape}, open_array)


def _check_numbers(path: Path, dtype: np.dtype) -> None:
    """Raises: SceneFormatError for anything but numbers and masks, with what to save in its place."""
    if dtype.kind in "iufb":
        return
    what, remedy = f"values of type {one_line(dtype, 80)}", "save the array as numbers"
    if dtype.kind == "c":
        remedy = "save their amplitude, for example"
    elif dtype.kind in "OSU":
        what, remedy = "texts or other objects", _NUMBER_NAMES
    raise SceneFormatError(f"{path}: expected real numbers, found {what}; {remedy}.")


def _whole(path: Path) -> np.ndarray:
    try:
        return read_npy(path)
    except ValueError as error:
        raise SceneFormatError(f"{path}: the file cannot be read ({error}); write it anew with numpy.save.") from error
