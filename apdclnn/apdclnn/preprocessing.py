"""R1: the cube between 0 and 1, and its whitened principal components, one per time step of the cells."""

from typing import Optional

import numpy as np

from shared_data.mapped import is_mapped, row_blocks, storage_like
from shared_data.whitening import whiten


def scaled(cube: np.ndarray, fitted: Optional[np.ndarray] = None) -> np.ndarray:
    """(H, W, B) numbers to float32 in 0..1, by the cube's smallest and largest number; 0 where all are equal.

    fitted: flat pixel indices whose numbers count instead of the whole cube's; others may then lie outside of 0..1.
    The result of a memory-mapped cube is memory-mapped, too.
    """
    judged = cube if fitted is None else cube.reshape(-1, cube.shape[-1])[fitted]
    lowest, highest = float(judged.min()), float(judged.max())
    if not is_mapped(cube):
        return _between(cube.astype(np.float32), lowest, highest)
    result = storage_like(cube, cube.shape, np.float32)
    for rows in row_blocks(cube):
        result[rows] = _between(np.array(cube[rows], np.float32), lowest, highest)
    return result


def _between(values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """float32 numbers to 0..1, in their own memory."""
    values -= lowest
    if highest > lowest:
        values /= highest - lowest
    return values


def components(scaled_cube: np.ndarray, count: int, fitted: Optional[np.ndarray] = None) -> np.ndarray:
    """(H, W, T) float32 principal components of zero mean and unit variance over the scene, T = count.

    fitted: flat pixel indices to fit on instead of the whole scene. Raises: ValueError for more components than bands.
    """
    return whiten(scaled_cube, fitted, count)
