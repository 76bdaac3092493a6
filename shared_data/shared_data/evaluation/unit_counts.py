"""A prediction counted by spatial units: how often the test pixels of each field are given each class.

A run's record holds these counts, so intervals and comparisons over fields need neither the ground truth nor the maps.
"""

from typing import Any, Dict, List, NamedTuple, Sequence

import numpy as np

from shared_data.splits.spatial import connected_fields, spatial_units


class UnitCounts(NamedTuple):
    """Counts of U units, ascending by number.

    unit: (U) numbers of `spatial_units`, equal in all runs on one ground truth. fold: (U) in which the unit was tested.
    label: (U) its class, 1..K. predicted: (U, K) test pixels of the unit that were given the class of each column + 1.
    field: (U) number of the connected field that the unit is, or is a strip of.
    """

    unit: np.ndarray
    fold: np.ndarray
    label: np.ndarray
    predicted: np.ndarray
    field: np.ndarray


def count_units(ground_truth: np.ndarray, prediction: np.ndarray, test: np.ndarray, fold: int = 0) -> List[Any]:
    """The record's `units`: per unit with test pixels its number, field, class, fold, and pixels by predicted class.

    ground_truth, prediction: (H, W) classes 1..K, 0 unlabelled. test: flat indices.
    """
    units, fields = (number(ground_truth).ravel()[test] for number in (spatial_units, connected_fields))
    labels, predicted = ground_truth.ravel()[test], prediction.ravel()[test]
    entries = []
    for unit in np.unique(units):
        inside = units == unit
        classes, pixels = np.unique(predicted[inside], return_counts=True)
        entries.append(
            {
                "unit": int(unit),
                "field": int(fields[inside][0]),
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
    unit, fold, label, field = (
        np.array([entry[key] for entry in entries], int) for key in ("unit", "fold", "class", "field")
    )
    return UnitCounts(unit, fold, label, predicted, field)
