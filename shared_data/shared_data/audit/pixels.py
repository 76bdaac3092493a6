"""The pixels whose labels an audit alters."""

import numpy as np

from shared_data.splits.draws import Split


def hidden_test_pixels(truth: np.ndarray, split: Split) -> np.ndarray:
    """Sorted flat indices of the labelled test pixels that are neither training nor validation pixels.

    A test pixel that is also a training or validation pixel may influence training; the item `split` counts these.
    """
    hidden = np.setdiff1d(split.test, np.concatenate([split.train, split.val]))
    return hidden[truth.ravel()[hidden] > 0]


def gap_pixels(truth: np.ndarray, split: Split) -> np.ndarray:
    """Sorted flat indices of the labelled pixels that are in no set."""
    return np.setdiff1d(np.flatnonzero(truth), np.concatenate(split))
