"""Copies of a scene's arrays that papers can read: .npy files, written in parts."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from shared_data.describe.arrays import StoredArray, blocks


def copy_array(path: Any, array: StoredArray, bands: Sequence[int] | None = None) -> np.memmap:
    """Copy an array into a .npy file (C order, native byte order), of which the result is mapped for writing.

    bands: the indices along the last axis that are copied; by default all. Raises: OSError where the disk is full.
    """
    if bands is None:
        result = _create(path, array.shape, array.dtype)
        for window in blocks(array):
            result[window] = array.read(window)
        return result
    kept = np.asarray(bands)
    result = _create(path, (*array.shape[:-1], len(kept)), array.dtype)
    for window in blocks(array):
        part = window[-1]
        inside = (kept >= part.start) & (kept < part.stop)
        result[(*window[:-1], inside)] = array.read(window)[..., kept[inside] - part.start]
    return result


def _create(path: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.memmap:
    """A .npy file of zeros, whose disk space is reserved: a full disk would end the process when pages are written."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), file.tell(), size)
        else:
            file.truncate(file.tell() + size)
    return np.lib.format.open_memmap(path, mode="r+")
