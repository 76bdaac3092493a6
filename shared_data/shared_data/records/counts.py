"""The counts in a record, by spatial unit and by distance to training pixels, checked against its confusion matrix."""

from typing import Any, Dict, List

import numpy as np

from shared_data.errors import RecordError
from shared_data.evaluation.field_statistics import confusion_of
from shared_data.evaluation.unit_counts import UnitCounts, unit_counts
from shared_data.records.map_codec import name_of


def matrix_of(record: Dict[str, Any]) -> np.ndarray:
    """(K, K) int64: the record's confusion matrix, test pixels by true and predicted class.

    Raises: RecordError where it is not square, or counts no pixel.
    """
    rows = record["metrics"]["confusion"]
    if not rows or any(len(row) != len(rows) for row in rows) or not any(map(any, rows)):
        raise RecordError("%s: its confusion matrix is not square, or empty; run it again." % name_of(record))
    try:
        return np.array(rows, np.int64)
    except OverflowError as error:
        raise _too_large(record) from error


def _too_large(record: Dict[str, Any]) -> RecordError:
    return RecordError("%s: it counts pixels in numbers that are too large; run it again." % name_of(record))


def has_units(record: Dict[str, Any]) -> bool:
    """Whether a record counts its test pixels by spatial unit; older ones do not."""
    return bool(record.get("units"))


def units_of(record: Dict[str, Any]) -> UnitCounts:
    """The test pixels by spatial unit.

    Raises: RecordError where there are none, or they are not those of the record's confusion matrix; as `matrix_of`.
    """
    if not has_units(record):
        raise RecordError("%s: its record counts no spatial units; run it again to have them." % name_of(record))
    confusion, entries = matrix_of(record), record["units"]
    classes = [int(name) for entry in entries for name in entry["predicted"]] + [entry["class"] for entry in entries]
    numbers = [entry["unit"] for entry in entries]
    if max(classes) > len(confusion) or len(set(numbers)) < len(numbers):
        raise RecordError(
            "%s: its counts by spatial unit have a class above %d, or a unit twice; run it again."
            % (name_of(record), len(confusion))
        )
    try:
        counts = unit_counts(entries, len(confusion))
    except OverflowError as error:
        raise _too_large(record) from error
    if not np.array_equal(confusion_of(counts), confusion):
        raise RecordError(
            "%s: its counts by spatial unit are not those of its confusion matrix; run it again." % name_of(record)
        )
    return counts


def distances_of(record: Dict[str, Any]) -> List[Dict[str, int]]:
    """The test pixels by their distance to the nearest training pixel; empty in older records.

    Raises: RecordError where they are not as many as in the record's confusion matrix; as `matrix_of`.
    """
    entries: List[Dict[str, int]] = record.get("distances", [])
    confusion = matrix_of(record)
    found = [sum(entry[name] for entry in entries) for name in ("pixels", "right")]
    if entries and found != [confusion.sum(), np.trace(confusion)]:
        raise RecordError(
            "%s: it counts %d pixels by distance, %d of them right, its confusion matrix %d and %d; run it again."
            % ((name_of(record),) + tuple(found) + (confusion.sum(), np.trace(confusion)))
        )
    return entries
