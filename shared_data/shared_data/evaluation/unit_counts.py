"""A prediction counted by spatial units: how often the test pixels of each field are given each class.

A run's record holds these counts, so intervals and comparisons over fields need neither the ground truth nor the maps.
"""

from typing import Any, Dict, List, NamedTuple, Sequence

import numpy as np

from shared_data.splits.spatial import spatial_units


class UnitCounts(NamedTuple):
    """Counts of U units, ascending by number.

    unit: (U) numbers of `spatial_units`, equal in all runs on one ground truth. fold: (U) in which the unit was tested.
    label: (U) its class, 1..K. predicted: (U, K) test pixels of the unit that were given the class of each column + 1.
    """

    unit: np.ndarray
    fold: np.ndarray
    label: np.ndarray
    predicted: np.ndarray


def count_units(ground_truth: np.ndarray, prediction: np.ndarray, test: np.ndarray, fold: int = 0) -> List[Any]:
    """The record's `units`: per unit with test pixels its number, class, fold, and pixels by predicted class.

    ground_truth, prediction: (H, W) classes 1..K, 0 unlabelled. test: flat indices.
    """
    units = spatial_units(ground_truth).ravel()[test]
    labels, predicted = ground_truth.ravel()[test], prediction.ravel()[test]
    entries = []
    for unit in np.unique(units):
        inside = units == unit
        classes, pixels = np.unique(predicted[inside], return_counts=True)
        entries.append(
            {
                "unit": int(unit),
                "class": int(labels[inside][0]),
                "fold": fold,
                "predicted": {str(name): int(count) for name, count in zip(classes, pixels)},
            }
        )
    return entries


def unit_counts(entries: Sequence[Dict[str, Any]], num_classes: int) -> UnitCounts:
    """The arrays of a record's `units`."""
    entries = sorted(entries, key=lambda entry: entry["unit"])
    predicted: np.ndarray = np.zeros((len(entries), num_classes), np.int64)
    for row, entry in enumerate(entries):
        for name, count in entry["predicted"].items():
            predicted[row, int(name) - 1] = count
    unit, fold, label = (np.array([entry[key] for entry in entries], int) for key in ("unit", "fold", "class"))
    return UnitCounts(unit, fold, label, predicted)
