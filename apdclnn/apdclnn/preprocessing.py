"""R1: the cube between 0 and 1, and its whitened principal components, one per time step of the cells."""

import numpy as np

from shared_data.whitening import whiten


def scaled(cube: np.ndarray) -> np.ndarray:
    """(H, W, B) numbers to float32 in 0..1, by the cube's smallest and largest number; 0 where all are equal."""
    lowest, highest = float(cube.min()), float(cube.max())
    result = cube.astype(np.float32)
    result -= lowest
    if highest > lowest:
        result /= highest - lowest
    return result


def components(scaled_cube: np.ndarray, count: int) -> np.ndarray:
    """(H, W, T) float32 principal components of zero mean and unit variance over the scene, T = count.

    Raises: ValueError for more components than bands.
    """
    return whiten(scaled_cube, None, count)
