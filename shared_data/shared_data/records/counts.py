"""The counts in a record, by spatial unit and by distance to training pixels, checked against its confusion matrix."""

from typing import Any, Dict, List

import numpy as np

from shared_data.errors import RecordError
from shared_data.evaluation.field_statistics import confusion_of
from shared_data.evaluation.unit_counts import UnitCounts, unit_counts
from shared_data.records.map_codec import name_of


def has_units(record: Dict[str, Any]) -> bool:
    """Whether a record counts its test pixels by spatial unit; older ones do not."""
    return bool(record.get("units"))


def units_of(record: Dict[str, Any]) -> UnitCounts:
    """The test pixels by spatial unit.

    Raises: RecordError where there are none, or they are not those of the record's confusion matrix.
    """
    if not has_units(record):
        raise RecordError("%s: its record counts no spatial units; run it again to have them." % name_of(record))
    confusion, entries = np.array(record["metrics"]["confusion"]), record["units"]
    classes = [int(name) for entry in entries for name in entry["predicted"]] + [entry["class"] for entry in entries]
    numbers = [entry["unit"] for entry in entries]
    if max(classes) > len(confusion) or len(set(numbers)) < len(numbers):
        raise RecordError(
            "%s: its counts by spatial unit have a class above %d, or a unit twice; run it again."
            % (name_of(record), len(confusion))
        )
    counts = unit_counts(entries, len(confusion))
    if not np.array_equal(confusion_of(counts), confusion):
        raise RecordError(
            "%s: its counts by spatial unit are not those of its confusion matrix; run it again." % name_of(record)
        )
    return counts


def distances_of(record: Dict[str, Any]) -> List[Dict[str, int]]:
    """The test pixels by their distance to the nearest training pixel; empty in older records.

    Raises: RecordError where they are not as many as in the record's confusion matrix.
    """
    entries: List[Dict[str, int]] = record.get("distances", [])
    confusion = np.array(record["metrics"]["confusion"])
    found = [sum(entry[name] for entry in entries) for name in ("pixels", "right")]
    if entries and found != [confusion.sum(), np.trace(confusion)]:
        raise RecordError(
            "%s: it counts %d pixels by distance, %d of them right, its confusion matrix %d and %d; run it again."
            % ((name_of(record),) + tuple(found) + (confusion.sum(), np.trace(confusion)))
        )
    return entries
