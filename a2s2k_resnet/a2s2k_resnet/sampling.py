"""The release's random split: about 10 % of each class to train, as many again to validate, the rest to test."""

from typing import List, Sequence

import numpy as np

from shared_data.errors import SplitError
from shared_data.splits.draws import Split

MINIMUM = 3  # training pixels of a class


def training_count(pixels: int, held_out: float) -> int:
    """Number of training pixels of a class, from its number of labelled pixels.

    The share is 1 − held_out as floating point gives it: 1 − 0.9 is 0.0999…, so 20 pixels yield int(1.99…) = 1,
    hence the minimum, and 830 yield 82, not 83.
    """
    return max(int((1 - held_out) * pixels), MINIMUM)


def _class_indices(flat: np.ndarray, num_classes: int, held_out: float, names: Sequence[str]) -> List[np.ndarray]:
    """Flat indices of each class, ascending. Raises: SplitError for a class that cannot be split."""
    classes = []
    for label in range(1, num_classes + 1):
        indices = np.flatnonzero(flat == label)
        name = "class %d%s" % (label, " (%s)" % names[label - 1] if names else "")
        if indices.size == 0:
            raise SplitError("%s has no labelled pixel in the ground truth; the split needs every class." % name)
        needs = training_count(indices.size, held_out)
        if indices.size <= needs:
            raise SplitError(
                "%s has %d labelled pixels; the split draws %d for training and needs at least one more to hold out. "
                "Use a ground truth with more pixels of it, or let the class count as unlabelled (of an own scene: "
                "move its label from [[classes]] to labels.unlabelled in the description)."
                % (name, indices.size, needs)
            )
        classes.append(indices)
    return classes


def draw_split(ground_truth: np.ndarray, seed: int, held_out: float = 0.9, class_names: Sequence[str] = ()) -> Split:
    """The split the release draws after np.random.seed(seed), each set in drawing order.

    ground_truth: (H, W) labels, 0 unlabelled. held_out: share of a class that does not train, `-vs` of the release.
    Class by class the indices are shuffled and the first `training_count` train; then the training list is shuffled,
    then the held-out list. The last len(train) of the held-out list validate, the others test.

    Raises: SplitError naming the class that has no pixel or too few, or where nothing is left to test.
    """
    num_classes = len(class_names) or int(ground_truth.max())
    random = np.random.RandomState(seed)  # the stream of np.random after np.random.seed(seed)
    train, rest = [], []
    for indices in _class_indices(ground_truth.ravel(), num_classes, held_out, class_names):
        random.shuffle(indices)
        count = training_count(indices.size, held_out)
        train.append(indices[:count])
        rest.append(indices[count:])
    training, held = np.concatenate(train), np.concatenate(rest)
    random.shuffle(training)
    random.shuffle(held)
    if held.size <= training.size:
        raise SplitError(
            "the split draws %d pixels for training and as many for validation, but only %d are held out, so none is "
            "left to test; hold out a larger share than %g." % (training.size, held.size, held_out)
        )
    return Split(training, held[-training.size :], held[: -training.size])
