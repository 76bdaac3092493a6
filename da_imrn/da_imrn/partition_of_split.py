"""A split that all methods share, converted to windows, on which DA-IMRN trains under the shared protocols.

Such a split consists of pixels, but the network trains on patches inside windows. Here the windows are those cells
of a grid over the scene that hold a pixel of the split. They contain only the split's labels, so none are held out
inside ("op").
"""

from typing import Tuple

import numpy as np

from da_imrn.partition import Partition, Rule, check_rule, window_pixels
from da_imrn.patches import covering_corners
from shared_data.splits.draws import Split


def partition_of_split(split: Split, ground_truth: np.ndarray, rule: Rule) -> Partition:
    """The partition whose training, validation and test labels are exactly those of a split.

    ground_truth: (H, W) labels. rule: only its window is used. At the right and bottom border windows may overlap their
    neighbours; a label there is in both. Raises: ValueError for a rule whose sides do not fit.
    """
    check_rule(rule)
    train, val, test = (_only(pixels, ground_truth) for pixels in split)
    corners, labels = _windows(train, rule.window)
    val_corners, val_labels = _windows(val, rule.window)
    return Partition(
        corners, labels, np.zeros_like(labels), val_corners, val_labels, train, np.zeros_like(train), val, test,
        accepted=True, facts={"partition": "of the shared split"},
    )  # fmt: skip


def _only(pixels: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """(H, W) uint8: the labels of these flat indices, 0 elsewhere."""
    result = np.zeros(ground_truth.shape, np.uint8)
    result.ravel()[pixels] = ground_truth.ravel()[pixels]
    return result


def _windows(labels: np.ndarray, side: int) -> Tuple[np.ndarray, np.ndarray]:
    """Corners (T, 2) of the grid's windows that hold a label, and their labels (T, side, side)."""
    corners = covering_corners(labels.shape[0], labels.shape[1], side)
    inside = labels.ravel()[window_pixels(corners, side, labels.shape[1])]
    held = inside.any(axis=(1, 2))
    return corners[held], inside[held]
