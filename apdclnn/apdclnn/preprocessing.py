"""R1: the cube between 0 and 1, and its whitened principal components, one per time step of the cells."""

from typing import Optional

import numpy as np

from shared_data.whitening import whiten


def scaled(cube: np.ndarray, fitted: Optional[np.ndarray] = None) -> np.ndarray:
    """(H, W, B) numbers to float32 in 0..1, by the cube's smallest and largest number; 0 where all are equal.

    fitted: flat pixel indices whose numbers count instead of the whole cube's; others may then lie outside of 0..1.
    """
    judged = cube if fitted is None else cube.reshape(-1, cube.shape[-1])[fitted]
    lowest, highest = float(judged.min()), float(judged.max())
    result = cube.astype(np.float32)
    result -= lowest
    if highest > lowest:
        result /= highest - lowest
    return result


def components(scaled_cube: np.ndarray, count: int, fitted: Optional[np.ndarray] = None) -> np.ndarray:
    """(H, W, T) float32 principal components of zero mean and unit variance over the scene, T = count.

    fitted: flat pixel indices to fit on instead of the whole scene. Raises: ValueError for more components than bands.
    """
    return whiten(scaled_cube, fitted, count)
