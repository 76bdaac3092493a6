"""Runs against published numbers: pair them, take mean ± std over seeds, and give a verdict per metric.

Verdict of a pair: `reproduced` where |Δ| ≤ max(margin, 2·SE), SE² = std_p²/n_p + std_r²/n_r; `above` or `below`
otherwise. Runs on unverified or generated data, shortened runs and runs with overridden settings are shown with
their Δ, are named for what they are, and never count as reproduced.

Beside the verdict stand, where there are runs enough, Student's 95 % interval of the reproduced mean and p of Welch's
test against the published mean; the verdict does not depend on them.
"""

import json
import math
from collections import OrderedDict
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from shared_data.published import METRICS, PublishedResult
from shared_data.statistics import confidence_interval, mean_and_std, welch

NOT_RUN, NO_NUMBER = "not run", "no published number"


class Row(NamedTuple):
    """One line of the comparison; numbers are fractions, None where there is none.

    interval: of the reproduced mean, 95 %, from two runs on. p_welch: of equal means, where both sides have a spread.
    """

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
    interval: Optional[Tuple[float, float]]
    p_welch: Optional[float]
    verdict: str


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
    values = [record["metrics"][metric] for record in records]
    (mean, std), n = mean_and_std(values), len(values)
    interval, why = confidence_interval(values), doubt(records)
    number = result.numbers.get(metric) if result else None
    if number is None:
        word = NO_NUMBER + (" (%s)" % why if why else "")
        return Row(*key, metric, None, None, "", mean, std, n, None, interval, None, word)
    delta = mean - number.value
    error = math.sqrt((number.std or 0) ** 2 / result.n + (std or 0) ** 2 / n)
    p = welch(mean, std, n, number.value, number.std, result.n)
    word = why or verdict(delta, result.margin, error)
    return Row(*key, metric, number.value, number.std, result.kind, mean, std, n, delta, interval, p, word)


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
                    None, None, 0, None, None, None, NOT_RUN)
                for metric, number in result.numbers.items()
            ]  # fmt: skip
    return rows


def falls_below(rows: Iterable[Row]) -> bool:
    """Whether any row's verdict is `below`, the condition of --strict."""
    return any(row.verdict == "below" for row in rows)


def percent(value: Optional[float], std: Optional[float] = None) -> str:
    """A fraction, and its standard deviation where there is one, ×100 with two decimals."""
    if value is None:
        return "–"
    return "%.2f" % (100 * value) + (" ± %.2f" % (100 * std) if std is not None else "")


def probability(p: Optional[float]) -> str:
    """A p-value with three decimals."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else "%.3f" % p


HEADER = (
    "paper", "experiment", "protocol", "metric", "published", "reproduced", "n", "Δ points", "95 % interval",
    "p (Welch)", "verdict",
)  # fmt: skip


def cells(row: Row) -> Tuple[str, ...]:
    """The texts of a row under `HEADER`; kappa ×100 like the accuracies."""
    published = percent(row.published, row.published_std) + (" (log)" if row.kind == "official log" else "")
    delta = "–" if row.delta is None else "%+.2f" % (100 * row.delta)
    interval = "–" if row.interval is None else "%.2f to %.2f" % tuple(100 * end for end in row.interval)
    return (row.paper, row.experiment, row.protocol, row.metric, published, percent(row.reproduced, row.std),
            str(row.n), delta, interval, probability(row.p_welch), row.verdict)  # fmt: skip


def as_text(rows: List[Row]) -> str:
    """An aligned table; kappa is shown ×100 like the accuracies."""
    table = [HEADER] + [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if any(row.kind == "official log" for row in rows):
        lines.append("(log): value of the official repository's log file, not of the paper")
    return "\n".join(lines)


def as_markdown(rows: List[Row]) -> str:
    """The same as a Markdown table."""
    return markdown_table(HEADER, [cells(row) for row in rows])


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells as a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def as_json(rows: List[Row]) -> str:
    """The same as JSON, numbers as fractions."""
    return json.dumps([row._asdict() for row in rows], indent=1)
