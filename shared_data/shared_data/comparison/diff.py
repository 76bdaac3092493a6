"""Runs against published numbers: pair them, take mean ± standard deviation over seeds, and give a verdict per metric.

Which pairs: a published number is compared with runs of the protocols in `published.ANSWERING`, and with the metric of
its own definition. Runs of other protocols are shown as `other split`, without a difference.

Verdict, of three runs or more: Δ is the reproduced mean minus the published one, and its 90 % Welch interval
- lies inside ±`MARGIN` (one point): `equivalent`;
- else excludes 0: `differs (above)` or `differs (below)`;
- else: `inconclusive`.
Where the published number has no ± over at least two runs, the interval is Student's, of the reproduced mean alone, and
the row says so. For fewer than three runs only Δ is shown.

Doubts are listed beside the verdict and never change it; a row with doubts never fails --strict.

docs/verdicts.md says why, with the error rates of the rule; the tests measure them.
"""

import json
from collections import OrderedDict
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from shared_data.comparison.published import ANSWERING, METRICS, PublishedNumber, PublishedResult
from shared_data.comparison.table_formats import LATEX, MARKDOWN, Shape, csv_table
from shared_data.evaluation.statistics import confidence_interval, mean_and_std, welch_interval

MARGIN = 0.01  # one point: within it a difference does not matter
LEVEL = 0.9  # of the interval; two one-sided tests at 5 % each
EQUIVALENT, INCONCLUSIVE, ABOVE, BELOW = "equivalent", "inconclusive", "differs (above)", "differs (below)"
FEW_RUNS = {1: "one run", 2: "two runs"}
NOT_RUN, NO_NUMBER = "not run", "no published number"
OTHER_SPLIT, OTHER_DEFINITION = "other split", "other definition"

Record = Dict[str, Any]
Interval = Tuple[float, float]


class Row(NamedTuple):
    """One line of the comparison; numbers are fractions, None where there is none.

    metric: "oa", "aa" or "kappa", with the published number's definition where that is not the usual one. std and
        published_std: sample standard deviations over runs, ddof 1.
    interval: of `delta`, 90 %. published_spread: whether the interval counts the published number's spread.
    """

    paper: str
    experiment: str
    protocol: str
    metric: str
    published: Optional[float] = None
    published_std: Optional[float] = None
    kind: str = ""
    reproduced: Optional[float] = None
    std: Optional[float] = None
    n: int = 0
    delta: Optional[float] = None
    interval: Optional[Interval] = None
    published_spread: bool = False
    verdict: str = NOT_RUN
    doubts: Tuple[str, ...] = ()


def doubts(records: Sequence[Record]) -> Tuple[str, ...]:
    """Every reason why these runs may not stand for what their row says, in words; empty where there is none."""
    found = [
        _of_runs("synthetic scene", records, lambda record: record["scene"] == "synthetic"),
        _of_runs("unverified data", records, lambda record: _has_files(record) and not record["data_verified"]),
        _of_runs("modified", records, lambda record: record["modified"], _modified_keys(records)),
        _of_runs("truncated", records, lambda record: record.get("truncated", False)),
        _of_runs("dirty checkout", records, lambda record: any(one["dirty"] for one in _revisions(record))),
        _of_runs("unknown revision", records, lambda record: any(map(_is_unknown, _revisions(record)))),
        _of_runs("several revisions", records, lambda record: len({one["git"] for one in _revisions(record)}) > 1),
        _of_runs("training pixels partly drawn", records, _has_drawn_pixels),
    ]
    return tuple(filter(None, found))


def _of_runs(word: str, records: Sequence[Record], holds: Callable[[Record], Any], detail: str = "") -> str:
    """The doubt, with the number of runs it applies to where not all; empty where it applies to none."""
    count = sum(bool(holds(record)) for record in records)
    if not count:
        return ""
    share = "" if count == len(records) else "%d of %d runs" % (count, len(records))
    remark = "; ".join(filter(None, (detail, share)))
    return word + (" (%s)" % remark if remark else "")


def _has_files(record: Record) -> bool:
    return record["scene"] != "synthetic"  # the generated scene has no files to verify


def _has_drawn_pixels(record: Record) -> bool:
    """Whether a run under `released` did not wholly have the partition that the authors ship (DA-IMRN)."""
    return record["protocol"] == "released" and record.get("audit", {}).get("partition") in ("recovered", "drawn")


def _modified_keys(records: Sequence[Record]) -> str:
    return ", ".join(sorted({key for record in records for key in record["modified"]}))


def _revisions(record: Record) -> List[Dict[str, Any]]:
    """The revisions a run was made by: one, unless it or a fold of it was resumed or run after the code had changed."""
    runs = [record, *record.get("folds", [])]
    parts = [part for run in runs for part in [*run.get("resumed_from", []), run]]
    return [part["revision"] for part in parts if "revision" in part]  # old records do not name those of their folds


def _is_unknown(revision: Dict[str, Any]) -> bool:
    """Whether the commit is unknown, or whether tracked files differed from it."""
    return revision["git"] is None or revision["dirty"] is None


def verdict(low: float, high: float) -> str:
    """What the 90 % interval of a difference (fractions) says: equivalent, differs (above or below), inconclusive."""
    if low > -MARGIN and high < MARGIN:
        return EQUIVALENT
    if low > 0:
        return ABOVE
    return BELOW if high < 0 else INCONCLUSIVE


def _group(records: Iterable[Record]) -> "OrderedDict[Tuple[str, str, str], List[Record]]":
    groups: "OrderedDict[Tuple[str, str, str], List[Record]]" = OrderedDict()
    for record in records:
        groups.setdefault((record["paper"], record["experiment"], record["protocol"]), []).append(record)
    return groups


def _plain_row(key: Tuple[str, str, str], metric: str, records: List[Record], word: str) -> Row:
    """A row without a published number."""
    values = [record["metrics"][metric] for record in records]
    mean, std = mean_and_std(values)
    return Row(*key, metric, reproduced=mean, std=std, n=len(values), verdict=word, doubts=doubts(records))


def _name(metric: str, number: PublishedNumber) -> str:
    return metric + (" %s" % number.definition if number.definition else "")


def _published_row(key: Tuple[str, str, str], metric: str, result: PublishedResult) -> Row:
    """A row of a published number alone."""
    number = result.numbers[metric]
    return Row(*key, _name(metric, number), number.value, number.std, result.kind)


def _compared_row(key: Tuple[str, str, str], metric: str, records: List[Record], result: PublishedResult) -> Row:
    number, row = result.numbers[metric], _published_row(key, metric, result)._replace(doubts=doubts(records))
    if any(number.metric not in record["metrics"] for record in records):
        return row._replace(n=len(records), verdict=OTHER_DEFINITION)
    values = [record["metrics"][number.metric] for record in records]
    (mean, std), n = mean_and_std(values), len(values)
    row = row._replace(reproduced=mean, std=std, n=n, delta=mean - number.value)
    interval = confidence_interval(values, LEVEL)
    if interval is None:
        return row._replace(verdict=FEW_RUNS[n])
    spread = number.std is not None and result.n > 1
    low, high = (
        welch_interval(mean, std, n, number.value, number.std, result.n, LEVEL)
        if spread
        else (end - number.value for end in interval)
    )
    return row._replace(interval=(float(low), float(high)), published_spread=spread, verdict=verdict(low, high))


def _rows(key: Tuple[str, str, str], records: List[Record], result: Optional[PublishedResult]) -> List[Row]:
    """The rows of one group of runs beside one published result. Where that defines a metric otherwise, the usual one
    has a row of its own, without a published number."""
    rows = []
    for metric in METRICS:
        number = result.numbers.get(metric) if result else None
        if number is None or number.definition:
            rows.append(_plain_row(key, metric, records, NO_NUMBER))
        if result is not None and number is not None:
            rows.append(_compared_row(key, metric, records, result))
    return rows


def compare(records: Iterable[Record], published: List[PublishedResult]) -> List[Row]:
    """Rows for every group of runs (paper, experiment, protocol) and for every published result without a run. A group
    is compared with each source of numbers for its experiment, if its protocol is in `published.ANSWERING`.
    """
    groups, rows = _group(records), []
    for key, members in groups.items():
        results = [result for result in published if (result.paper, result.experiment) == key[:2]]
        if key[2] in ANSWERING:
            beside: Sequence[Optional[PublishedResult]] = results or [None]
            for result in beside:
                rows += _rows(key, members, result)
        else:
            given = {metric for result in results for metric in result.numbers}
            rows += [
                _plain_row(key, metric, members, OTHER_SPLIT if metric in given else NO_NUMBER) for metric in METRICS
            ]
    for result in published:
        if not any((result.paper, result.experiment, protocol) in groups for protocol in ANSWERING):
            key = (result.paper, result.experiment, result.protocol)
            rows += [_published_row(key, metric, result) for metric in result.numbers]
    return rows


def falls_below(rows: Iterable[Row]) -> bool:
    """Whether any row without doubts differs below, the condition of --strict."""
    return any(row.verdict == BELOW and not row.doubts for row in rows)


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
    "paper", "experiment", "protocol", "metric", "published", "reproduced", "n", "Δ points", "90 % interval of Δ",
    "verdict", "doubts",
)  # fmt: skip
PLUS_MINUS = "±: sample standard deviation over runs with different seeds (divided by n - 1)."
_LOG, ALONE = "(log)", "(reproduced alone)"
NOTES = (
    ("±", PLUS_MINUS),
    (_LOG, "(log): value of the official repository's log file, not of the paper."),
    (ALONE, "(reproduced alone): published without a ±; the interval counts the spread of the reproduced runs only."),
)


def cells(row: Row) -> Tuple[str, ...]:
    """The texts of a row under `HEADER`; kappa ×100 like the accuracies."""
    published = percent(row.published, row.published_std) + (" " + _LOG if row.kind == "official log" else "")
    delta = "–" if row.delta is None else "%+.2f" % (100 * row.delta)
    interval = "–"
    if row.interval is not None:
        interval = "%+.2f to %+.2f" % tuple(100 * end for end in row.interval)
        interval += "" if row.published_spread else " " + ALONE
    return (row.paper, row.experiment, row.protocol, row.metric, published, percent(row.reproduced, row.std),
            str(row.n), delta, interval, row.verdict, "; ".join(row.doubts) or "–")  # fmt: skip


def notes(rows: Iterable[Row]) -> List[str]:
    """One explanatory sentence for each mark used in the cells of these rows."""
    shown = [cell for row in rows for cell in cells(row)]
    return [sentence for sign, sentence in NOTES if any(sign in cell for cell in shown)]


def as_text(rows: List[Row]) -> str:
    """An aligned table; kappa is shown ×100 like the accuracies."""
    table = [HEADER] + [cells(row) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines + notes(rows))


def as_markdown(rows: List[Row]) -> str:
    """The same as a Markdown table."""
    return _shaped(rows, MARKDOWN)


def as_latex(rows: List[Row]) -> str:
    """The same as a LaTeX table."""
    return _shaped(rows, LATEX)


def _shaped(rows: List[Row], shape: Shape) -> str:
    return "\n\n".join([shape.table(HEADER, [cells(row) for row in rows]), *map(shape.sentence, notes(rows))])


CSV_HEADER = tuple(name for name in Row._fields if name not in ("interval", "doubts")) + (
    "interval_from", "interval_to", "doubts",
)  # fmt: skip


def as_csv(rows: Iterable[Row]) -> str:
    """The same as CSV under `CSV_HEADER`, numbers as fractions."""
    lines = []
    for row in rows:
        low, high = row.interval or (None, None)
        parts = dict(row._asdict(), interval_from=low, interval_to=high, doubts="; ".join(row.doubts))
        lines.append([parts[name] for name in CSV_HEADER])
    return csv_table(CSV_HEADER, lines)


def as_json(rows: List[Row]) -> str:
    """The same as JSON, numbers as fractions."""
    return json.dumps([row._asdict() for row in rows], indent=1)
