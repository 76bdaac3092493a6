"""All methods on equal terms: a scene under a protocol that all methods share, so a seed is the same pixels for all.

Methods are ranked over the seeds that they have in common, and compared two at a time on them. Intervals and tests draw
spatial units, not pixels (`evaluation.field_statistics`).
"""

import contextlib
from collections import OrderedDict
from itertools import combinations
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from shared_data.comparison.diff import PLUS_MINUS, doubts, percent, probability
from shared_data.comparison.published import METRICS
from shared_data.comparison.table_formats import MARKDOWN, Shape, csv_table
from shared_data.errors import RecordError, UnknownNameError
from shared_data.evaluation.distances import add_distances
from shared_data.evaluation.field_statistics import (
    Difference,
    Intervals,
    bootstrap_intervals,
    design_effect,
    mean_over_repeats,
    paired_difference,
)
from shared_data.evaluation.metrics import disagreement
from shared_data.evaluation.statistics import holm, mean_and_std
from shared_data.evaluation.unit_counts import UnitCounts
from shared_data.records.audit_file import verdict_of
from shared_data.records.counts import distances_of, has_units, matrix_of, units_of
from shared_data.records.map_codec import name_of
from shared_data.records.record_scene import scene_of_record

FEW_PIXELS = 30  # test pixels of a class below which its accuracy is marked

Record = Dict[str, Any]
Span = Tuple[int, int]  # smallest and largest over seeds
MeanStd = Tuple[float, Optional[float]]  # the sample standard deviation is None for a single seed


class MethodRow(NamedTuple):
    """One method; accuracies and shares are fractions, means over seeds.

    intervals, effective_n: over spatial units; None where a record counts no units, effective_n also where it is not
    defined. quantity, allocation: disagreement. train, test: pixels; not_tested: classes without a test pixel.
    training_in_input: share of test pixels whose input holds a training pixel; None where the records do not say.
    test_spectra: what training saw of them. audits: verdicts of the seeds. recall: per class, None without a test
    pixel. distances: as in a record, added up over seeds. counts: mean over seeds.
    """

    method: str
    seeds: Tuple[int, ...]
    oa: MeanStd
    aa: MeanStd
    kappa: MeanStd
    intervals: Optional[Intervals]
    effective_n: Optional[float]
    quantity: float
    allocation: float
    train: Span
    test: Span
    not_tested: Span
    training_in_input: Optional[float]
    test_spectra: str
    audits: Tuple[str, ...]
    doubts: Tuple[str, ...]
    recall: Tuple[Optional[float], ...]
    distances: List[Dict[str, int]]
    counts: Optional[UnitCounts]


class Pair(NamedTuple):
    """Two methods on the same pixels: `difference` is of overall accuracy; `p_holm` is corrected for all pairs."""

    method_a: str
    method_b: str
    difference: Difference
    p_holm: float


class ClassRow(NamedTuple):
    """A class and its test pixels; units: None where no record counts them."""

    label: int
    name: str
    test: Span
    units: Optional[int]


class Comparison(NamedTuple):
    """rows: methods that have all of `seeds`, highest mean overall accuracy first. unranked: methods that lack one, by
    name; each row is over the method's own seeds. pairs: of ranked methods. classes: test pixels over `seeds`."""

    scene: str
    protocol: str
    seeds: Tuple[int, ...]
    rows: List[MethodRow]
    unranked: List[MethodRow]
    pairs: List[Pair]
    classes: List[ClassRow]


def method_of(record: Record) -> str:
    """The method's name: the paper, and the part of the configuration's name behind the scene."""
    variant = record["experiment"].replace(record["scene"], "", 1).strip("-")
    return record["paper"] + (" " + variant if variant else "")


def common_seeds(seeds: Dict[str, Set[int]]) -> Tuple[int, ...]:
    """The seeds over which to rank: those that all methods which have a certain seed have in common.

    seeds: of each method. The certain seed is one that most methods have; of several, one that leads to the most common
    seeds, and then the smallest.
    """
    chosen: Set[int] = set()
    most = 0
    for seed in sorted(set().union(*seeds.values())):
        holders = [own for own in seeds.values() if seed in own]
        common = set.intersection(*holders)
        if (len(holders), len(common)) > (most, len(chosen)):
            most, chosen = len(holders), common
    return tuple(sorted(chosen))


def compare_methods(records: Iterable[Record], scene: str, protocol: str) -> Comparison:
    """The comparison of all methods that ran on a scene under a shared protocol; without rows where none did.

    Raises: RecordError where two runs of one seed were tested on different pixels, or counts do not fit their record.
    """
    kept = [record for record in records if (record["scene"], record["protocol"]) == (scene, protocol)]
    check_comparable(kept)
    groups: "OrderedDict[str, Dict[int, Record]]" = OrderedDict()
    for record in kept:
        groups.setdefault(method_of(record), {})[record["seed"]] = record
    seeds = common_seeds({method: set(runs) for method, runs in groups.items()}) if groups else ()
    ranked, unranked = [], []
    for method, runs in groups.items():
        if set(seeds) <= set(runs):
            ranked.append(_row(method, [runs[seed] for seed in seeds]))
        else:
            unranked.append(_row(method, [runs[seed] for seed in sorted(runs)]))
    ranked.sort(key=lambda row: (-row.oa[0], row.method))
    unranked.sort(key=lambda row: row.method)
    shown = [record for record in kept if record["seed"] in seeds]
    return Comparison(scene, protocol, seeds, ranked, unranked, _pairs(ranked), _classes(shown, ranked))


def check_comparable(records: Sequence[Record]) -> None:
    """Raises: RecordError where records of equal seeds have different pixels, or any two not as many classes."""
    first: Dict[int, Record] = {}
    for record in records:
        classes = [len(one["metrics"][name]) for one in (records[0], record) for name in ("per_class", "confusion")]
        if len(set(classes)) > 1:
            raise RecordError(
                "%s and %s differ in their classes; run both again." % (name_of(records[0]), name_of(record))
            )
        other = first.setdefault(record["seed"], record)
        for part, found in record["split"].items():
            if found["sha256"] != other["split"][part]["sha256"]:
                raise RecordError(
                    "%s and %s differ in their %s pixels (%s and %s), so they cannot be compared; run both again with "
                    "the same scene files."
                    % (name_of(other), name_of(record), part, other["split"][part]["sha256"][:12], found["sha256"][:12])
                )


def _row(method: str, records: List[Record]) -> MethodRow:
    oa, aa, kappa = (mean_and_std([record["metrics"][name] for record in records]) for name in METRICS)
    per_class = [record["metrics"]["per_class"] for record in records]
    apart = [disagreement(matrix_of(record)) for record in records]
    counts = mean_over_repeats([units_of(record) for record in records]) if all(map(has_units, records)) else None
    effect = design_effect(counts) if counts else None
    contexts = [record["context"] for record in records if "context" in record]
    return MethodRow(
        method=method,
        seeds=tuple(record["seed"] for record in records),
        oa=oa,
        aa=aa,
        kappa=kappa,
        intervals=bootstrap_intervals(counts) if counts else None,
        effective_n=effect.effective_n if effect else None,
        quantity=float(np.mean([one.quantity for one in apart])),
        allocation=float(np.mean([one.allocation for one in apart])),
        train=_span(size for record in records for size in _training_sizes(record)),
        test=_span(record["split"]["test"]["size"] for record in records),
        not_tested=_span(classes.count(None) for classes in per_class),
        training_in_input=_mean([context["test_with_training_pixel"] for context in contexts]),
        test_spectra=", ".join(sorted({context["test_spectra"] for context in contexts})),
        audits=tuple(sorted({verdict_of(record) for record in records})),
        doubts=doubts(records),
        recall=tuple(_mean([value for value in values if value is not None]) for values in zip(*per_class)),
        distances=add_distances(distances_of(record) for record in records),
        counts=counts,
    )


def _training_sizes(record: Record) -> List[int]:
    """Training pixels of a run, or of each of its folds."""
    return [part["split"]["train"]["size"] for part in record.get("folds", [record])]


def _mean(values: Sequence[float]) -> Optional[float]:
    return float(np.mean(values)) if values else None


def _span(values: Iterable[int]) -> Span:
    values = list(values)
    return min(values), max(values)


def _pairs(rows: Sequence[MethodRow]) -> List[Pair]:
    """Every two methods whose records count spatial units, the better one first."""
    differences = [
        (a.method, b.method, paired_difference(a.counts, b.counts))
        for a, b in combinations(rows, 2)
        if a.counts is not None and b.counts is not None
    ]
    corrected = holm([difference.p for _, _, difference in differences])
    return [Pair(*found, p) for found, p in zip(differences, corrected)]


def _classes(records: Sequence[Record], rows: Sequence[MethodRow]) -> List[ClassRow]:
    if not rows:
        return []
    number = len(rows[0].recall)
    names: Sequence[str] = ["class %d" % (index + 1) for index in range(number)]
    with contextlib.suppress(UnknownNameError):
        known = scene_of_record(records[0])
        names = known.class_names if known.num_classes == number else names
    labels = next((row.counts.label for row in rows if row.counts is not None), None)
    return [
        ClassRow(
            index + 1,
            name,
            _span(int(matrix_of(record)[index].sum()) for record in records),
            None if labels is None else int(np.sum(labels == index + 1)),
        )
        for index, name in enumerate(names)
    ]


# as tables

ROWS_HEADER = (
    "method", "OA", "AA", "kappa ×100", "quantity, allocation disagreement", "n", "seeds", "training pixels",
    "test pixels", "effective n", "classes not tested", "training pixel in the input", "test spectra in training",
    "audit", "doubts",
)  # fmt: skip
PAIRS_HEADER = ("A", "B", "OA of A − B, points", "95 % interval", "p", "p (Holm)", "fields")
INTERVALS = (
    "In parentheses: 95 % interval by a bootstrap over spatial units (fields, or strips of them), within folds if all "
    "seeds share them. Effective n: the number of independent pixels that would give an accuracy as certain as "
    "these fields do."
)
PAIRED = (
    "Both methods on the same pixels of the same seeds: p by flipping the signs of the fields' differences, and after "
    "Holm's correction for all pairs of the table; interval: the differences that this test, uncorrected, does not "
    "reject at 5 %."
)
MARK = "†"
MARKED = "%s: fewer than %d test pixels." % (MARK, FEW_PIXELS)
UNRANKED = "Not ranked, because they lack a seed of the methods above; their numbers are of other splits:"


def no_runs(comparison: Comparison) -> str:
    """The sentence instead of a table."""
    return "No runs under the protocol `%s`." % comparison.protocol


def methods_table(comparison: Comparison, shape: Shape = MARKDOWN) -> str:
    """The methods as a table, those that are not ranked in a second one; a sentence where there are none."""
    if not comparison.rows:
        return shape.sentence(no_runs(comparison))
    parts = [shape.table(ROWS_HEADER, map(_cells, comparison.rows))]
    if comparison.unranked:
        parts += [shape.sentence(UNRANKED), shape.table(ROWS_HEADER, map(_cells, comparison.unranked))]
    rows = comparison.rows + comparison.unranked
    if any(row.oa[1] is not None for row in rows):
        parts.append(shape.sentence(PLUS_MINUS))
    if any(row.intervals for row in rows):
        parts.append(shape.sentence(INTERVALS))
    return "\n\n".join(parts)


def pairs_table(comparison: Comparison, shape: Shape = MARKDOWN) -> str:
    """The pairs as a table; a sentence where there are none."""
    if not comparison.pairs:
        return shape.sentence(
            "No two methods under the protocol `%s` that share seeds and count spatial units." % comparison.protocol
        )
    table = shape.table(PAIRS_HEADER, map(pair_cells, comparison.pairs))
    without = [row.method for row in comparison.rows if row.counts is None]
    remark = " Without counts by spatial unit, and so left out: %s." % ", ".join(without) if without else ""
    return table + "\n\n" + shape.sentence(PAIRED + remark)


def classes_table(comparison: Comparison, shape: Shape = MARKDOWN) -> str:
    """Recall per class of the ranked methods as a table; a sentence where there are none."""
    if not comparison.rows:
        return shape.sentence(no_runs(comparison))
    header = ["class", "test pixels", "units"] + [row.method for row in comparison.rows]
    lines = []
    for row in comparison.classes:
        name = row.name + (" " + MARK if is_rare(row) else "")
        units = "–" if row.units is None else str(row.units)
        recalls = [percent(method.recall[row.label - 1]) for method in comparison.rows]
        lines.append([name, shown_span(row.test), units] + recalls)
    marked = "\n\n" + shape.sentence(MARKED) if any(map(is_rare, comparison.classes)) else ""
    return shape.table(header, lines) + "\n\n" + shape.sentence("Recall in percent, mean over seeds.") + marked


CSV_HEADER = (
    "scene", "protocol", "method", "ranked", "seeds", "accuracy", "class", "mean", "std", "interval_from",
    "interval_to",
)  # fmt: skip


def as_csv(comparison: Comparison) -> str:
    """Every accuracy of every method, recalls among them, as a line of CSV under `CSV_HEADER`; fractions."""
    names = {row.label: row.name for row in comparison.classes}
    lines = []
    for row in comparison.rows + comparison.unranked:
        start = [comparison.scene, comparison.protocol, row.method, row in comparison.rows]
        start.append(" ".join(map(str, row.seeds)))
        of_all = row.intervals[:3] if row.intervals else (None, None, None)
        of_classes = row.intervals.recall if row.intervals else [None] * len(row.recall)
        for metric, (mean, std), interval in zip(METRICS, (row.oa, row.aa, row.kappa), of_all):
            lines.append([*start, metric, None, mean, std, *(interval or (None, None))])
        for label, (recall, interval) in enumerate(zip(row.recall, of_classes), start=1):
            lines.append([*start, "recall", names.get(label, label), recall, None, *(interval or (None, None))])
    return csv_table(CSV_HEADER, lines)


def is_rare(row: ClassRow) -> bool:
    """Whether a class has too few test pixels, in some seed, for its accuracy to say much."""
    return row.test[0] < FEW_PIXELS


def shown_span(span: Span) -> str:
    """ "529", or "12–14" where the numbers differ."""
    return str(span[0]) if span[0] == span[1] else "%d–%d" % span


def with_interval(value: MeanStd, interval: Optional[Tuple[float, float]]) -> str:
    """An accuracy in percent: mean, standard deviation, interval, as far as they are known."""
    return percent(*value) + (" (%.2f–%.2f)" % tuple(100 * end for end in interval) if interval else "")


def pair_cells(pair: Pair) -> Tuple[str, ...]:
    """The texts of a pair under `PAIRS_HEADER`."""
    difference = pair.difference
    return (
        pair.method_a,
        pair.method_b,
        "%+.2f" % (100 * difference.estimate),
        "%+.2f to %+.2f" % tuple(100 * end for end in difference.interval),
        probability(difference.p),
        probability(pair.p_holm),
        str(difference.fields),
    )


def _cells(row: MethodRow) -> Tuple[str, ...]:
    intervals = row.intervals[:3] if row.intervals else (None, None, None)
    return (
        row.method,
        *(with_interval(value, interval) for value, interval in zip((row.oa, row.aa, row.kappa), intervals)),
        "%s, %s" % (percent(row.quantity), percent(row.allocation)),
        str(len(row.seeds)),
        " ".join(map(str, row.seeds)),
        shown_span(row.train),
        shown_span(row.test),
        "–" if row.effective_n is None else "%.0f" % row.effective_n,
        "%s of %d" % (shown_span(row.not_tested), len(row.recall)),
        percent(row.training_in_input) + ("" if row.training_in_input is None else " %"),
        row.test_spectra or "–",
        " / ".join(row.audits),
        "; ".join(row.doubts) or "–",
    )
