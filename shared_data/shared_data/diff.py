"""Runs against published numbers: pair them, take mean ± std over seeds, and give a verdict per metric.

Verdict of a pair: `reproduced` where |Δ| ≤ max(margin, 2·SE), SE² = std_p²/n_p + std_r²/n_r; `above` or `below`
otherwise. Runs on unverified or generated data, shortened runs and runs with overridden settings are shown with
their Δ, are named for what they are, and never count as reproduced.
"""

import json
import math
from collections import OrderedDict
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from shared_data.published import METRICS, PublishedResult

NOT_RUN, NO_NUMBER = "not run", "no published number"


class Row(NamedTuple):
    """One line of the comparison; numbers are fractions, None where there is none."""

    paper: str
    experiment: str
    protocol: str
    metric: str
    published: Optional[float]
    published_std: Optional[float]
    kind: str
    reproduced: Optional[float]
    std: Optional[float]
    n: int
    delta: Optional[float]
    verdict: str


def mean_and_std(values: List[float]) -> Tuple[float, Optional[float]]:
    """Mean and sample standard deviation (None for a single value)."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def doubt(records: Iterable[Dict[str, Any]]) -> str:
    """Why these runs cannot count as a reproduction; empty where they can."""
    for record in records:
        if record["scene"] == "synthetic":
            return "synthetic scene"
        if not record["data_verified"]:
            return "unverified data"
        if record["modified"]:
            return "modified run: " + ", ".join(record["modified"])
    return ""


def verdict(delta: float, margin: float, standard_error: float) -> str:
    """`reproduced`, `above` or `below`."""
    if abs(delta) <= max(margin, 2 * standard_error):
        return "reproduced"
    return "above" if delta > 0 else "below"


def _group(records: Iterable[Dict[str, Any]]) -> "OrderedDict[Tuple[str, str, str], List[Dict[str, Any]]]":
    groups: "OrderedDict[Tuple[str, str, str], List[Dict[str, Any]]]" = OrderedDict()
    for record in records:
        groups.setdefault((record["paper"], record["experiment"], record["protocol"]), []).append(record)
    return groups


def _row(
    key: Tuple[str, str, str], records: List[Dict[str, Any]], metric: str, result: Optional[PublishedResult]
) -> Row:
    mean, std = mean_and_std([record["metrics"][metric] for record in records])
    number = result.numbers.get(metric) if result else None
    if number is None:
        return Row(*key, metric, None, None, "", mean, std, len(records), None, doubt(records) or NO_NUMBER)
    delta = mean - number.value
    error = math.sqrt((number.std or 0) ** 2 / result.n + (std or 0) ** 2 / len(records))
    word = doubt(records) or verdict(delta, result.margin, error)
    return Row(*key, metric, number.value, number.std, result.kind, mean, std, len(records), delta, word)


def compare(records: Iterable[Dict[str, Any]], published: List[PublishedResult]) -> List[Row]:
    """Rows for every group of runs (paper, experiment, protocol) and for every published result without a run.

    A published number is set beside the runs of every protocol: under `paper` and `disjoint` the question is whether
    it survives when test labels stay hidden. Where two sources give numbers, the runs are set beside each.
    """
    groups = _group(records)
    rows = []
    for key, members in groups.items():
        results = [result for result in published if (result.paper, result.experiment) == key[:2]]
        for result in results or [None]:
            rows += [_row(key, members, metric, result) for metric in METRICS]
    for result in published:
        if not any(key[:2] == (result.paper, result.experiment) for key in groups):
            rows += [
                Row(result.paper, result.experiment, result.protocol, metric, number.value, number.std, result.kind,
                    None, None, 0, None, NOT_RUN)
                for metric, number in result.numbers.items()
            ]  # fmt: skip
    return rows


def falls_below(rows: Iterable[Row]) -> bool:
    """Whether any row's verdict is `below`, the condition of --strict."""
    return any(row.verdict == "below" for row in rows)


def _percent(value: Optional[float], std: Optional[float] = None) -> str:
    if value is None:
        return "–"
    return "%.2f" % (100 * value) + (" ± %.2f" % (100 * std) if std is not None else "")


HEADER = ("paper", "experiment", "protocol", "metric", "published", "reproduced", "n", "Δ points", "verdict")


def _cells(row: Row) -> Tuple[str, ...]:
    published = _percent(row.published, row.published_std) + (" (log)" if row.kind == "official log" else "")
    delta = "–" if row.delta is None else "%+.2f" % (100 * row.delta)
    return (row.paper, row.experiment, row.protocol, row.metric, published, _percent(row.reproduced, row.std),
            str(row.n), delta, row.verdict)  # fmt: skip


def as_text(rows: List[Row]) -> str:
    """An aligned table; kappa is shown ×100 like the accuracies."""
    table = [HEADER] + [_cells(row) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if any(row.kind == "official log" for row in rows):
        lines.append("(log): value of the official repository's log file, not of the paper")
    return "\n".join(lines)


def as_markdown(rows: List[Row]) -> str:
    """The same as a Markdown table."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    return "\n".join(lines + ["| " + " | ".join(_cells(row)) + " |" for row in rows])


def as_json(rows: List[Row]) -> str:
    """The same as JSON, numbers as fractions."""
    return json.dumps([row._asdict() for row in rows], indent=1)
