"""Altered copies of a scene's labels and spectra. Functions of arrays alone; nothing is changed in place."""

from typing import Any, Optional

import numpy as np


def permute_labels(truth: np.ndarray, pixels: np.ndarray, seed: int) -> Optional[np.ndarray]:
    """The (H, W) labels with those of flat `pixels` permuted among them, so that the number of pixels of every class
    stays the same; at least two change. None where all are equal."""
    labels = truth.ravel()[pixels]
    if np.unique(labels).size < 2:
        return None
    random = np.random.RandomState(seed)
    permuted = random.permutation(labels)
    while np.array_equal(permuted, labels):  # likely where nearly all pixels belong to one class
        permuted = random.permutation(labels)
    return with_labels(truth, pixels, permuted)


def redraw_labels(truth: np.ndarray, pixels: np.ndarray, num_classes: int, seed: int) -> np.ndarray:
    """The (H, W) labels with those of flat `pixels` drawn anew: each is another of the classes 1..K than before.

    All classes are equally frequent, so the number of pixels of a class changes too.
    """
    added = np.random.RandomState(seed).randint(1, num_classes, len(pixels))
    return with_labels(truth, pixels, (truth.ravel()[pixels] - 1 + added) % num_classes + 1)


def move_labels(truth: np.ndarray, pixels: np.ndarray, free: np.ndarray, seed: int) -> np.ndarray:
    """The (H, W) labels with those of flat `pixels` moved to some of the unlabelled flat pixels `free`, as far as there
    are any; the number of pixels of every class stays the same."""
    target = np.random.RandomState(seed).permutation(free)[: len(pixels)]
    source = pixels[: len(target)]
    return with_labels(with_labels(truth, target, truth.ravel()[source]), source, 0)


def with_labels(truth: np.ndarray, pixels: np.ndarray, labels: Any) -> np.ndarray:
    """The (H, W) labels with others at flat `pixels`. labels: (n), or one for all."""
    result = truth.copy()
    result[np.unravel_index(pixels, truth.shape)] = labels
    return result


def alter_spectra(cube: np.ndarray, pixels: np.ndarray, seed: int) -> np.ndarray:
    """The (H, W, B) cube, in its dtype; of the flat `pixels` the bands lie in another order, the values doubled.

    Exchanging spectra between pixels would leave the mean, the covariance and the extremes of the scene as they are,
    and with them most of what preprocessing learns.
    """
    result = np.array(cube, order="K")
    rows, columns = np.unravel_index(pixels, cube.shape[:2])
    order = np.random.RandomState(seed).random_sample((len(pixels), cube.shape[2])).argsort(axis=1)
    doubled = 2 * np.take_along_axis(cube[rows, columns].astype(np.float64), order, axis=1)
    if np.issubdtype(cube.dtype, np.integer):
        doubled = np.minimum(doubled, np.iinfo(cube.dtype).max)
    result[rows, columns] = doubled.astype(cube.dtype)
    return result


def shuffle_spectra(cube: np.ndarray, seed: int) -> np.ndarray:
    """The (H, W, B) cube with all spectra at other pixels, so that none belongs to the label of its pixel."""
    order = np.random.RandomState(seed).permutation(cube.shape[0] * cube.shape[1])
    return cube.reshape(-1, cube.shape[2])[order].reshape(cube.shape)


def turn(array: np.ndarray) -> np.ndarray:
    """An (H, W) or (H, W, B) array, turned by 180°."""
    return np.array(array[::-1, ::-1], order="K")
