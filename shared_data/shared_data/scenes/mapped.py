"""Scenes larger than memory: the cube and all derived arrays of its size stay in files, memory-mapped.

A memory-mapped array is read and written like any other; the system keeps as many of its pages in memory as fit. Arrays
derived from a mapped cube are mapped too, in temporary files; those derived from a cube in memory stay in memory.
"""

import io
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Optional, Tuple

import numpy as np

from shared_data.errors import SceneFormatError, SharedDataError
from shared_data.files.npz import read_header
from shared_data.quoting import one_line
from shared_data.scenes.mat import looks_like_html

_MAGIC = b"\x93NUMPY"
_HEADER_BYTES = 1 << 16  # a header of real numbers has a hundred
_BLOCK_BYTES = 1 << 24  # of a cube read at a time


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array lies in a file instead of memory."""
    return isinstance(array, np.memmap)


def open_mapped(path: Any, expected_shape: Tuple[int, ...], any_order: bool = False) -> np.memmap:
    """Map the array of a .npy file, read-only, without reading its numbers.

    Raises: SceneFormatError when the file cannot be read, is empty, cut short, a web page or of another format, holds
    something other than real numbers, an array of another shape, or, unless `any_order`, one in column-major order,
    whose pixels' spectra would be scattered over the whole file.
    """
    path = Path(path)
    try:
        with open(str(path), "rb") as file:
            dtype, offset, by_columns = _checked_header(path, file, tuple(expected_shape), any_order)
        return np.memmap(str(path), dtype, "r", offset, tuple(expected_shape), "F" if by_columns else "C")
    except OSError as error:
        raise SceneFormatError(f"{path}: the file cannot be read ({error.strerror or error}).") from error


def _checked_header(
    path: Path, file: BinaryIO, expected_shape: Tuple[int, ...], any_order: bool
) -> Tuple[np.dtype, int, bool]:
    """The dtype, the position of the first number, and whether the order is column-major."""
    start = io.BytesIO(file.read(_HEADER_BYTES))
    shape, by_columns, dtype = _parsed_header(path, start)
    if dtype.kind not in "iuf":
        raise SceneFormatError(f"{path}: expected real numbers, found values of type {one_line(dtype, 80)}.")
    if shape != expected_shape:
        raise SceneFormatError(f"{path}: expected the shape {_by(expected_shape)}, found {one_line(_by(shape), 80)}.")
    if by_columns and not any_order and sum(side > 1 for side in shape) > 1:  # otherwise both orders are the same
        raise SceneFormatError(
            f"{path}: expected the bands of a pixel side by side (C order), found column-major (Fortran) order; write "
            f"it anew with numpy.lib.format.open_memmap('new.npy', 'w+', '{dtype.str}', {shape})[...] = "
            f"numpy.load('{path.name}', 'r')."
        )
    expected = start.tell() + _bytes_of(shape, dtype)
    found = file.seek(0, os.SEEK_END)
    if found < expected:
        raise SceneFormatError(
            f"{path}: the file is cut short; expected at least {expected} bytes, found {found}; fetch it again."
        )
    return dtype, start.tell(), by_columns


def _parsed_header(path: Path, start: io.BytesIO) -> Tuple[Tuple[int, ...], bool, np.dtype]:
    content = start.getvalue()
    if not content.startswith(_MAGIC):
        found = "an empty file" if not content else f"one that starts with {content[:16]!r}"
        found = "a web page (HTML)" if looks_like_html(content) else found
        raise SceneFormatError(f"{path}: expected a numpy file (.npy), found {found}; remove it and fetch it again.")
    try:
        return read_header(start)
    except Exception as error:  # numpy parses the header as Python; damaged bytes may raise any exception
        raise SceneFormatError(
            f"{path}: the header of the numpy file is damaged ({one_line(error, 160) or type(error).__name__}); "
            "remove it and fetch it again."
        ) from error


def storage_like(cube: np.ndarray, shape: Tuple[int, ...], dtype: Any, folder: Optional[Any] = None) -> np.ndarray:
    """An array for data derived from a cube: uninitialised memory if the cube is in memory, else a temporary file.

    Raises: as `temporary_array`.
    """
    return temporary_array(shape, dtype, folder) if is_mapped(cube) else np.empty(shape, dtype)


def temporary_array(shape: Tuple[int, ...], dtype: Any, folder: Optional[Any] = None) -> np.memmap:
    """An array of zeros in a temporary file.

    folder: of the file, by default the one that TMPDIR names. The file is unlinked when this returns, so its disk space
    is freed when the array is deleted or the process ends, even by SIGKILL.
    Raises: SharedDataError where the folder lacks the disk space.
    """
    size = _bytes_of(shape, np.dtype(dtype))
    try:
        with tempfile.TemporaryFile(dir=None if folder is None else str(folder)) as file:
            _reserve(file, size)
            return np.memmap(file, dtype, "r+", 0, tuple(shape))
    except OSError as error:
        raise SharedDataError(
            f"a temporary file of {size / 1e6:.1f} MB cannot be made in {folder or tempfile.gettempdir()}: "
            f"{error.strerror or error}; name a folder with more room by TMPDIR."
        ) from error


def map_new(path: Any, shape: Tuple[int, ...], dtype: Any) -> np.memmap:
    """A new .npy file (an existing one is replaced) with an array of zeros, mapped. Raises: OSError, on a full disk."""
    with open(str(path), "wb") as file:
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        offset = file.tell()
        _reserve(file, offset + _bytes_of(shape, np.dtype(dtype)))
    return np.memmap(str(path), dtype, "r+", offset, tuple(shape))


def _reserve(file: Any, size: int) -> None:
    """Allocate the file's disk space; otherwise a full disk would end the process at a later write (SIGBUS)."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


def row_blocks(cube: np.ndarray) -> Iterator[slice]:
    """Slices of rows that cover an array (H, ...), each of about 16 MB of it and of one row at least."""
    height = len(cube)
    rows = max(1, _BLOCK_BYTES // max(1, cube.nbytes // height))
    for start in range(0, height, rows):
        yield slice(start, min(start + rows, height))


def patches_around(cube: np.ndarray, pixels: np.ndarray, side: int) -> np.ndarray:
    """Flat C-order indices (N) of pixels to the patches (N, P, P, B) around them, P = side, odd; zeros off the scene.

    No padded copy of the (H, W, B) cube is made: memory is that of the patches. The dtype is the cube's.
    """
    height, width = cube.shape[:2]
    steps = np.arange(side) - side // 2
    rows, columns = ((part[:, None] + steps) for part in np.divmod(np.asarray(pixels, np.int64), width))
    # as a plain array: numpy 1.16 marks even copies of a read-only mapped array as read-only
    patches = np.asarray(cube)[rows.clip(0, height - 1)[:, :, None], columns.clip(0, width - 1)[:, None, :]]
    inside_rows, inside_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    patches[~(inside_rows[:, :, None] & inside_columns[:, None, :])] = 0
    return patches


def _bytes_of(shape: Tuple[int, ...], dtype: np.dtype) -> int:
    """Bytes of an array, in Python's integers, which do not overflow."""
    size = dtype.itemsize
    for length in shape:
        size *= length
    return size


def _by(shape: Tuple[int, ...]) -> str:
    return "×".join(str(length) for length in shape)
