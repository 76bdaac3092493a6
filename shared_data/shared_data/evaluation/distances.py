"""Accuracy against the distance to the nearest training pixel, which explains what a random split measures."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from scipy.ndimage import distance_transform_cdt

# first distance of each bin; the last has no end
STARTS = (1, 2, 3, 4, 6, 8, 11, 14, 20, 30)


class DistanceCounts(NamedTuple):
    """distance: (D,) ascending, in pixels; pixels, right: (D,) test pixels at that distance, and those classified
    correctly."""

    distance: np.ndarray
    pixels: np.ndarray
    right: np.ndarray


class DistanceBin(NamedTuple):
    """Test pixels from a smallest to a largest distance (None: no limit); accuracy: a fraction, None without pixels."""

    low: int
    high: Optional[int]
    pixels: float
    accuracy: Optional[float]

    @property
    def name(self) -> str:
        """The distances as text: "3", "4–5", "30+"."""
        if self.high is None:
            return "%d+" % self.low
        return str(self.low) if self.low == self.high else "%d–%d" % (self.low, self.high)


def distance_to(pixels: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    """(H, W) int32: Chebyshev distance of each pixel to the nearest of these flat indices; 0 at the pixels themselves.

    The Chebyshev distance is the larger of the distances in rows and in columns. Raises: ValueError without a pixel.
    """
    if not len(pixels):
        raise ValueError("there is no training pixel to measure the distance to")
    others = np.ones(shape, np.uint8)
    others.ravel()[pixels] = 0
    return distance_transform_cdt(others, "chessboard")


def count_distances(distance: np.ndarray, right: np.ndarray) -> DistanceCounts:
    """distance: (n,) whole pixels, of each test pixel. right: (n,) bool, whether it was classified correctly."""
    values, place = np.unique(distance, return_inverse=True)
    return DistanceCounts(
        values.astype(int), np.bincount(place).astype(float), np.bincount(place, weights=right.astype(float))
    )


def mean_distances(repeats: Sequence[DistanceCounts]) -> DistanceCounts:
    """Mean counts over repeats; a distance that a repeat lacks counts 0 there."""
    distance = np.unique(np.concatenate([repeat.distance for repeat in repeats]))
    pixels, right = np.zeros((2, len(distance)))
    for repeat in repeats:
        places = np.searchsorted(distance, repeat.distance)
        pixels[places] += repeat.pixels
        right[places] += repeat.right
    return DistanceCounts(distance, pixels / len(repeats), right / len(repeats))


def accuracy_by_distance(counts: DistanceCounts, starts: Sequence[int] = STARTS) -> List[DistanceBin]:
    """Accuracy and number of test pixels in bins of distance. starts: first distance of each bin, ascending."""
    bins = []
    for low, after in zip(starts, list(starts[1:]) + [None]):
        inside = (counts.distance >= low) & (counts.distance < (np.inf if after is None else after))
        pixels, right = float(counts.pixels[inside].sum()), float(counts.right[inside].sum())
        bins.append(DistanceBin(low, None if after is None else after - 1, pixels, right / pixels if pixels else None))
    return bins
