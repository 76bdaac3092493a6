"""What training may know of the labels: those of its pixels, and of nobody else's; the rest is sealed.

A method's `fit` gets `Labels`. The labels of all other pixels stay in a `SealedTruth`: `open` is the only way in, and
every opening is kept with who opened it, when and why, for the run's record. The caller opens it once, after training.
Where a release reads test labels while it trains, its protocol says so, and `Labels.truth` is the envelope; otherwise
there is none. This is a discipline, not a barrier: the audit tests it by experiment.
"""

import time
from typing import Dict, List, NamedTuple, Optional

import numpy as np

from shared_data.errors import SealedError
from shared_data.splits.draws import Split


class Truth(NamedTuple):
    """What lies in the envelope. labels: (H, W) uint8, 0 unlabelled, 1..K, read-only. test: (n) flat indices."""

    labels: np.ndarray
    test: np.ndarray


class SealedTruth:
    """The labels of a scene, and which pixels test; nobody reads them but through `open`.

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
        """The labels. by: the module that reads them. reason: what for, in a few words."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        phase = "training" if self._training else "evaluation"
        self.openings.append({"by": by, "reason": reason, "at": moment, "while": phase})
        return self._truth

    def training_is_over(self) -> None:
        """From here on openings count as evaluation."""
        self._training = False


class Labels(NamedTuple):
    """The labels that a training may see.

    train, val: (H, W) uint8 maps, 1..K at the pixels that train or validate, 0 at all others.
    train_pixels, val_pixels: their flat C-order indices, in the order in which they were drawn.
    truth: the envelope, of protocols whose release reads test labels while it trains; None of all others.
    """

    train: np.ndarray
    val: np.ndarray
    train_pixels: np.ndarray
    val_pixels: np.ndarray
    truth: Optional[SealedTruth] = None

    def open_truth(self, by: str, reason: str) -> Truth:
        """The sealed labels, where the protocol discloses them. Raises: SealedError where it does not."""
        return opened(self.truth, by, reason)


def opened(truth: Optional[SealedTruth], by: str, reason: str) -> Truth:
    """Open an envelope that a training was given. Raises: SealedError where it was given none."""
    if truth is None:
        raise SealedError(
            "%s asks for test labels (%s), but under this protocol they are sealed until training is over."
            % (by, reason)
        )
    return truth.open(by, reason)


def labels_of(ground_truth: np.ndarray, split: Split, truth: Optional[SealedTruth] = None) -> Labels:
    """The labels of a split's training and validation pixels. ground_truth: (H, W) uint8, copied from."""
    train, val = (_only(ground_truth, pixels) for pixels in (split.train, split.val))
    return Labels(train, val, split.train, split.val, truth)


def _only(ground_truth: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """A copy with the labels of these flat indices alone."""
    result = np.zeros(ground_truth.shape, np.uint8)
    result.ravel()[pixels] = ground_truth.ravel()[pixels]
    return result
