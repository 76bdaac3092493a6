"""The numbers that a baseline classifies a pixel by."""

from itertools import product
from typing import Callable, NamedTuple, Optional

import numpy as np

from shared_data.scenes.loading import SceneImage

_REACH = 2  # pixels from the middle of a 5×5 window to its edge


class Features(NamedTuple):
    """One way to describe a pixel.

    name: as configurations and records hold it. of: image and (n) flat C-order indices → (n, F) float64. count: F of a
    scene with so many bands. reach: a pixel's features depend on the spectra up to so many rows and columns away; None
    where they depend on no spectrum. standardised: whether each feature is standardised with the training pixels.
    """

    name: str
    of: Callable[[SceneImage, np.ndarray], np.ndarray]
    count: Callable[[int], int]
    reach: Optional[int]
    standardised: bool


def _spectra(image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    rows, columns = np.divmod(pixels, image.shape[1])
    return image.cube[rows, columns].astype(np.float64)


def _mean_spectra(image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    """Means over the valid pixels of the 5×5 window that lie in the scene, unlabelled ones included; of a pixel without
    any, its own spectrum."""
    height, width = image.shape
    rows, columns = np.divmod(pixels, width)
    total = np.zeros((len(pixels), image.cube.shape[2]))
    count: np.ndarray = np.zeros((len(pixels), 1), int)
    steps = range(-_REACH, _REACH + 1)
    for down, right in product(steps, steps):
        below, beside = rows + down, columns + right
        inside = (below >= 0) & (below < height) & (beside >= 0) & (beside < width)
        if image.valid is not None:
            inside[inside] = image.valid[below[inside], beside[inside]]
        total[inside] += image.cube[below[inside], beside[inside]]
        count[inside] += 1
    alone = (count == 0).ravel()
    total[alone], count[alone] = _spectra(image, pixels[alone]), 1
    return total / count


def _places(image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    return np.stack(np.divmod(pixels, image.shape[1]), axis=1).astype(np.float64)


SPECTRUM = Features("spectrum", _spectra, lambda bands: bands, reach=0, standardised=True)
MEAN_5X5 = Features("mean spectrum of 5x5 pixels", _mean_spectra, lambda bands: bands, _REACH, standardised=True)
# not standardised, so that a distance is one in pixels
POSITION = Features("row and column", _places, lambda _bands: 2, reach=None, standardised=False)
