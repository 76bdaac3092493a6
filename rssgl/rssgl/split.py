"""The split: the release's class-wise draw, and under `paper` a validation part of the training pixels."""

import numpy as np

from shared_data.errors import SplitError
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import Split, draw_per_class, training_counts


def draw_release_split(loaded: LoadedScene, ratio: float, minimum: int, seed: int, validation_share: float) -> Split:
    """Draw max(⌈ratio·count⌉, minimum) training pixels of every class with RandomState(seed), then hold out.

    Raises: SplitError where a class has too few pixels.
    """
    fewest = 2 if validation_share else 1  # one of them validates
    counts = training_counts(loaded.ground_truth, ratio, minimum, loaded.scene.class_names, fewest)
    split = draw_per_class(loaded.ground_truth, counts, seed)
    return hold_out(split, loaded.ground_truth, validation_share) if validation_share else split


def hold_out(split: Split, ground_truth: np.ndarray, share: float) -> Split:
    """Move the last max(1, round(share·n_c)) training pixels of every class, in drawing order, to validation.

    Raises: SplitError where that leaves a class without training pixels.
    """
    labels = ground_truth.ravel()[split.train]
    train, validation = [], []
    for label in np.unique(labels):
        pixels = split.train[labels == label]
        held = max(1, round(share * pixels.size))
        if held >= pixels.size:
            raise SplitError(
                "class %d has %d training pixel(s); %d are held out for validation and at least one must remain. "
                "Raise split.minimum." % (label, pixels.size, held)
            )
        train.append(pixels[:-held])
        validation.append(pixels[-held:])
    return Split(np.concatenate(train), np.concatenate(validation), split.test)
