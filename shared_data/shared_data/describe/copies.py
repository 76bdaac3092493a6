"""Copies of a scene's arrays that papers can read: .npy files, written in parts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shared_data.describe.arrays import StoredArray, blocks
from shared_data.scenes.mapped import map_new


def copy_array(path: Any, array: StoredArray, bands: Sequence[int] | None = None) -> np.memmap:
    """Copy an array into a .npy file (C order, native byte order), of which the result is mapped for writing.

    bands: the indices along the last axis that are copied; by default all. Raises: OSError where the disk is full.
    """
    if bands is None:
        result = map_new(path, array.shape, array.dtype)
        for window in blocks(array):
            result[window] = array.read(window)
        return result
    kept = np.asarray(bands)
    result = map_new(path, (*array.shape[:-1], len(kept)), array.dtype)
    for window in blocks(array):
        part = window[-1]
        inside = (kept >= part.start) & (kept < part.stop)
        result[(*window[:-1], inside)] = array.read(window)[..., kept[inside] - part.start]
    return result
