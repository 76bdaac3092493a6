"""A scene as one image: standardised per band and zero-padded, for the networks that see the whole scene at once."""

from typing import Optional

import numpy as np


def padded_side(side: int, multiple: int) -> int:
    """The next multiple that is not smaller than `side`."""
    return -(-side // multiple) * multiple


def standardise_and_pad(cube: np.ndarray, multiple: int, fitted: Optional[np.ndarray] = None) -> np.ndarray:
    """(H, W, B) numbers to (B, H', W') float32: zero mean, unit standard deviation per band, zeros below and right.

    Mean and population standard deviation are those of the whole scene, or of the flat pixel indices `fitted`, in
    float64. A band that is constant there becomes zero. Works band by band: beside the result two bands are held.
    """
    height, width, bands = cube.shape
    image = np.zeros((bands, padded_side(height, multiple), padded_side(width, multiple)), np.float32)
    for band in range(bands):
        values = cube[:, :, band].astype(np.float64)
        judged = values if fitted is None else values.ravel()[fitted]
        # the spread of a constant band may be rounding noise instead of 0
        if judged.min() < judged.max():
            image[band, :height, :width] = (values - judged.mean()) / judged.std()
    return image


def pad_labels(labels: np.ndarray, multiple: int) -> np.ndarray:
    """(H, W) labels to (H', W'), padded with 0 = unlabelled, the same way as the scene."""
    height, width = labels.shape
    return np.pad(
        labels,
        ((0, padded_side(height, multiple) - height), (0, padded_side(width, multiple) - width)),
        mode="constant",
    )
