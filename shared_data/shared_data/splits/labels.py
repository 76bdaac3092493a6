"""Access to labels: training reads those of its training and validation pixels; all others are sealed until it is over.

A method's `fit` gets `Labels`. The labels of all other pixels stay in a `SealedTruth`: only `open` returns them, and it
logs for the run's record which module opened them, when and why. The caller opens it once, after training. Where a
release reads test labels while it trains, its protocol discloses this, and `Labels.truth` is the `SealedTruth`;
otherwise it is None. This is a convention that Python does not enforce; the audit tests it by experiment.
"""

import time
from typing import Dict, List, NamedTuple, Optional

import numpy as np

from shared_data.errors import SealedError
from shared_data.splits.draws import Split


class Truth(NamedTuple):
    """The sealed labels. labels: (H, W) uint8, 0 unlabelled, 1..K, read-only. test: (n) flat indices."""

    labels: np.ndarray
    test: np.ndarray


class SealedTruth:
    """The labels and test pixels of a scene, to be read only through `open`.

    ground_truth: (H, W) uint8. openings: one entry per opening, with `by`, `reason`, `at` (UTC) and `while`: `training`
    or `evaluation`.
    """

    def __init__(self, ground_truth: np.ndarray, split: Split) -> None:
        labels = ground_truth.copy()
        labels.setflags(write=False)
        self._truth = Truth(labels, split.test)
        self._training = True
        self.openings: List[Dict[str, str]] = []

    def open(self, by: str, reason: str) -> Truth:
        """Return the labels and log it. by: the module that reads them. reason: for what, in a few words."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        phase = "training" if self._training else "evaluation"
        self.openings.append({"by": by, "reason": reason, "at": moment, "while": phase})
        return self._truth

    def training_is_over(self) -> None:
        """Log later openings as `evaluation`."""
        self._training = False


class Labels(NamedTuple):
    """The labels that training may read.

    train, val: (H, W) uint8 maps, 1..K at the pixels that train or validate, 0 at all others.
    train_pixels, val_pixels: their flat C-order indices, in the order in which they were drawn.
    truth: all labels, sealed, under protocols whose release reads test labels while it trains; None under all others.
    """

    train: np.ndarray
    val: np.ndarray
    train_pixels: np.ndarray
    val_pixels: np.ndarray
    truth: Optional[SealedTruth] = None

    def open_truth(self, by: str, reason: str) -> Truth:
        """The sealed labels, where the protocol discloses them. Raises: SealedError where it does not."""
        if self.truth is None:
            raise SealedError(
                "%s asks for test labels (%s), but under this protocol they are sealed until training is over."
                % (by, reason)
            )
        return self.truth.open(by, reason)


def labels_of(ground_truth: np.ndarray, split: Split, truth: Optional[SealedTruth] = None) -> Labels:
    """The labels of a split's training and validation pixels. ground_truth: (H, W) uint8, copied from."""
    train, val = (_only(ground_truth, pixels) for pixels in (split.train, split.val))
    return Labels(train, val, split.train, split.val, truth)


def _only(ground_truth: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """A copy with the labels of these flat indices alone."""
    result = np.zeros(ground_truth.shape, np.uint8)
    result.ravel()[pixels] = ground_truth.ravel()[pixels]
    return result
