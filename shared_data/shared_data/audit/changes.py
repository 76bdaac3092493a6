"""The altered scenes of an audit: only data that must not influence training is changed."""

from typing import Optional

import numpy as np

from shared_data.splits.draws import Split


def hidden_pixels(ground_truth: np.ndarray, split: Split) -> np.ndarray:
    """Sorted flat indices of the labelled test pixels that are neither training nor validation pixels.

    A test pixel that is also a training or validation pixel may influence training; the item `split` counts these.
    """
    used = np.concatenate([split.train, split.val])
    hidden = np.setdiff1d(split.test, used)
    return hidden[ground_truth.ravel()[hidden] > 0]


def permute_labels(ground_truth: np.ndarray, pixels: np.ndarray, seed: int) -> Optional[np.ndarray]:
    """A copy of the (H, W) ground truth with the labels of `pixels` permuted among them; None where all are equal.

    The number of pixels per class stays the same. At least two labels change.
    """
    flat = ground_truth.ravel()
    labels = flat[pixels]
    if np.unique(labels).size < 2:
        return None
    random = np.random.RandomState(seed)
    permuted = random.permutation(labels)
    while np.array_equal(permuted, labels):  # likely where nearly all pixels belong to one class
        permuted = random.permutation(labels)
    result = ground_truth.copy()
    result[np.unravel_index(pixels, ground_truth.shape)] = permuted
    return result


def alter_spectra(cube: np.ndarray, pixels: np.ndarray, seed: int) -> np.ndarray:
    """A float32 copy of the (H, W, B) cube; the bands of each of `pixels` lie in another order, the values doubled.

    Exchanging spectra between pixels would leave the mean, the covariance and the extremes of the scene as they are,
    and with them most of what preprocessing learns.
    """
    result = cube.astype(np.float32)
    rows, columns = np.unravel_index(pixels, cube.shape[:2])
    order = np.random.RandomState(seed).random_sample((pixels.size, cube.shape[2])).argsort(axis=1)
    result[rows, columns] = 2 * np.take_along_axis(result[rows, columns], order, axis=1)
    return result
