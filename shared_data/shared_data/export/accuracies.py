"""A run's confusion matrix and accuracies per class as CSV files."""

import csv
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from shared_data.errors import RecordError
from shared_data.evaluation.field_statistics import Interval, bootstrap_intervals
from shared_data.evaluation.metrics import class_accuracies
from shared_data.export.classified import Classified
from shared_data.records.counts import has_units, matrix_of, units_of

CONFUSION, CLASSES = "confusion_matrix.csv", "classes.csv"
ORIENTATION = "rows: true class; columns: predicted class"
CLASSES_HEADER = (
    "number", "class", "training pixels", "validation pixels", "test pixels (n)", "predicted test pixels",
    "recall (producer's accuracy)", "recall, 95 % interval from", "recall, 95 % interval to",
    "precision (user's accuracy)", "F1",
)  # fmt: skip


def write_accuracies(folder: Path, classified: Classified) -> None:
    """confusion_matrix.csv: test pixels. classes.csv: pixels, and fractions, empty where one is not defined.

    The interval is over spatial units; empty of a record that does not count them.
    Raises: RecordError where the record's counts cannot be used; OSError.
    """
    record = classified.record
    assert record is not None  # `export` has refused a prediction
    matrix = matrix_of(record)
    names = classified.class_names
    if len(matrix) != len(names):
        raise RecordError(
            "the record's confusion matrix has %d classes, the scene %d; run it again." % (len(matrix), len(names))
        )
    numbered = ["%d %s" % (number, name) for number, name in enumerate(names, start=1)]
    rows = [[name, *counts] for name, counts in zip(numbered, matrix.tolist())]
    _write(folder / CONFUSION, [[ORIENTATION, *numbered], *rows])
    _write(folder / CLASSES, [CLASSES_HEADER, *_class_rows(record, matrix, names)])


def _class_rows(record: Dict[str, Any], matrix: Any, names: Sequence[str]) -> List[List[Any]]:
    recall, precision = class_accuracies(matrix)
    intervals: Sequence[Optional[Interval]] = [None] * len(names)
    if has_units(record):
        intervals = bootstrap_intervals(units_of(record)).recall
    parts = [record["split"][part]["per_class"] for part in ("train", "val")]
    rows = []
    for index, name in enumerate(names):
        low, high = intervals[index] or (None, None)
        tested, found, hit = matrix[index].sum(), matrix[:, index].sum(), matrix[index, index]
        f1 = 2 * hit / (tested + found) if tested + found else None
        pixels = [counts[index] if index < len(counts) else None for counts in parts]
        fractions = [recall[index], low, high, precision[index], f1]
        rows.append([index + 1, name, *pixels, int(tested), int(found), *map(_fraction, fractions)])
    return rows


def _fraction(value: Optional[float]) -> str:
    return "" if value is None else "%.6f" % value


def _write(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
