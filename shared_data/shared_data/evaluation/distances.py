"""Accuracy against the distance to the nearest training pixel, which explains what a random split measures."""

from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence

import numpy as np

from shared_data.splits.disjoint import distance_to

# first distance of each bin; the last has no end. A bin ends at each distance that a shared protocol keeps: 3, 6, 13
STARTS = (1, 2, 3, 4, 5, 7, 10, 14, 20, 30)


class DistanceBin(NamedTuple):
    """Test pixels from a smallest to a largest distance (None: no limit); accuracy: a fraction, None without pixels."""

    low: int
    high: Optional[int]
    pixels: int
    accuracy: Optional[float]

    @property
    def name(self) -> str:
        """The distances as text: "3", "4–5", "30+"."""
        if self.high is None:
            return "%d+" % self.low
        return str(self.low) if self.low == self.high else "%d–%d" % (self.low, self.high)


def count_distances(
    ground_truth: np.ndarray, prediction: np.ndarray, train: np.ndarray, test: np.ndarray
) -> List[Dict[str, int]]:
    """The record's `distances`: of each distance of a test pixel to the nearest training pixel, in ascending order, the
    test pixels at it, and those classified correctly.

    The distance is Chebyshev's, the larger of the distances in rows and in columns. ground_truth, prediction: (H, W).
    train, test: flat indices.
    """
    distance = distance_to(train, ground_truth.shape).ravel()[test]
    right = prediction.ravel()[test] == ground_truth.ravel()[test]
    return [
        {"distance": int(one), "pixels": int(np.sum(distance == one)), "right": int(np.sum(right[distance == one]))}
        for one in np.unique(distance)
    ]


def add_distances(parts: Iterable[Sequence[Dict[str, int]]]) -> List[Dict[str, int]]:
    """The `distances` of several records, of the folds of a repeat for example, added up."""
    total: Dict[int, Dict[str, int]] = {}
    for entry in (entry for part in parts for entry in part):
        kept = total.setdefault(entry["distance"], {"distance": entry["distance"], "pixels": 0, "right": 0})
        kept["pixels"] += entry["pixels"]
        kept["right"] += entry["right"]
    return [total[distance] for distance in sorted(total)]


def accuracy_by_distance(entries: Sequence[Dict[str, int]], starts: Sequence[int] = STARTS) -> List[DistanceBin]:
    """A record's `distances` in bins. starts: first distance of each bin, ascending."""
    bins = []
    for low, after in zip(starts, list(starts[1:]) + [None]):
        inside = [entry for entry in entries if low <= entry["distance"] and (not after or entry["distance"] < after)]
        pixels, right = (sum(entry[name] for entry in inside) for name in ("pixels", "right"))
        bins.append(DistanceBin(low, None if after is None else after - 1, pixels, right / pixels if pixels else None))
    return bins
