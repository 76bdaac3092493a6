"""From a partition to the pixels of a run, and to the labels that its training may read."""

from typing import NamedTuple, Optional

import numpy as np

from da_imrn.partition import Partition, window_pixels
from da_imrn.patches import in_grid
from shared_data.errors import SettingsError
from shared_data.runs.method import Draw
from shared_data.splits.draws import Split
from shared_data.splits.labels import SealedTruth


class WindowLabels(NamedTuple):
    """The labels that training may read, by pixel and by window; otherwise as `shared_data.splits.labels.Labels`.

    train, val: (H, W) uint8 maps, 1..K at the pixels that train or validate, 0 at all others.
    train_pixels, val_pixels: their flat C-order indices, ascending.
    windows: the partition without a label that is held out or tested: its `op_labels`, `op_map` and `test_labels` are
        booleans, which give the places of these labels but not their classes.
    truth: the sealed other labels; None, because no protocol reads them in training.
    """

    train: np.ndarray
    val: np.ndarray
    train_pixels: np.ndarray
    val_pixels: np.ndarray
    windows: Partition
    truth: Optional[SealedTruth] = None


def split_of(partition: Partition, patch: int, tested: str) -> Split:
    """The split of a partition: the pixels of its count maps, and the remaining labels for the test.

    tested: `grid`, the positions of the release's test patches, or `scene`.
    Raises: SettingsError where no pixel is left to test.
    """
    left = partition.test_labels > 0
    if tested == "grid":
        left &= in_grid(left.shape[0], left.shape[1], patch)
    if not left.any():
        raise SettingsError("the windows of this partition leave no labelled pixel to test; draw fewer of them.")
    return Split(*(np.flatnonzero(part) for part in (partition.train_map, partition.val_map, left)))


def labels_of(draw: Draw, ground_truth: np.ndarray) -> WindowLabels:
    """The labels that training may read, from the ground truth (H, W) of the draw or from an altered one.

    draw: its plan is the partition, which says where labels train and validate; they are copied from `ground_truth`.
    """
    partition: Partition = draw.plan
    train, val = (_at(some > 0, ground_truth) for some in (partition.train_map, partition.val_map))
    windows = partition._replace(
        labels=_in_windows(partition.corners, partition.labels > 0, ground_truth),
        val_labels=_in_windows(partition.val_corners, partition.val_labels > 0, ground_truth),
        train_map=train,
        val_map=val,
        op_labels=partition.op_labels > 0,
        op_map=partition.op_map > 0,
        test_labels=partition.test_labels > 0,
    )
    return WindowLabels(train, val, draw.split.train, draw.split.val, windows)


def _at(chosen: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """uint8: the labels where chosen, 0 elsewhere."""
    return np.where(chosen, labels, 0).astype(np.uint8)


def _in_windows(corners: np.ndarray, chosen: np.ndarray, ground_truth: np.ndarray) -> np.ndarray:
    """(T, w, w) uint8: the chosen labels of windows by their corners (T, 2)."""
    pixels = window_pixels(corners, chosen.shape[1], ground_truth.shape[1])
    return _at(chosen, ground_truth.ravel()[pixels])
