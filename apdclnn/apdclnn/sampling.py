"""R2: the split (a share of every class trains, a tenth of it is held out to select the weights), and mini-batches."""

from typing import Iterator, List, Sequence, Tuple

import numpy as np

from shared_data.splits.draws import Split, draw_per_class, training_counts
from shared_data.splits.minibatch_order import MinibatchOrder


def validation_count(training: int, share: float) -> int:
    """Number of held-out pixels of a class, of which `training` were drawn: their share rounded down, at least one."""
    return max(int(training * share), 1)


def draw_split(
    ground_truth: np.ndarray, ratio: float, minimum: int, validation: float, seed: int, class_names: Sequence[str] = ()
) -> Split:
    """ceil(ratio·count) pixels of each class, at least `minimum`; the last ones drawn of a class validate.

    ground_truth: (H, W) labels, 0 unlabelled. minimum: at least 2, so that a class both trains and validates.
    Raises: SplitError naming the class that has no pixel or too few.
    """
    counts = training_counts(ground_truth, ratio, minimum, class_names, fewest=2)
    drawn = draw_per_class(ground_truth, counts, seed)
    train: List[np.ndarray] = []
    held_out: List[np.ndarray] = []
    for pixels in np.split(drawn.train, np.cumsum(counts)[:-1]):
        kept = len(pixels) - validation_count(len(pixels), validation)
        train.append(pixels[:kept])
        held_out.append(pixels[kept:])
    return Split(np.concatenate(train), np.concatenate(held_out), drawn.test)


class MinibatchStream(MinibatchOrder):
    """Shuffled mini-batches (pixels, targets): one iteration is one epoch.

    labels: (H, W) label map, of which only `indices` are read; indices: flat pixels of the set. pixels (n) int64 flat
    indices, targets (n) int32, class 1 as 0; n = batch but for the last.
    """

    def __init__(self, labels: np.ndarray, indices: np.ndarray, batch: int, seed: int) -> None:
        super().__init__(len(indices), batch, seed)
        self._indices = indices
        self._targets = targets_of(labels, indices)

    def __iter__(self) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        for chosen in super().__iter__():
            yield self._indices[chosen], self._targets[chosen]


def targets_of(labels: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Classes of flat pixel indices as int32, class 1 as 0."""
    return labels.ravel()[indices].astype(np.int32) - 1
