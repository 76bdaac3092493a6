"""All methods on equal terms: the runs under `disjoint`, where a scene and a seed give every method the same split.

Accuracies are means over seeds, that is over splits. For two methods of one scene and seed, McNemar's test asks whether
their error rates on the same test pixels are equal; the records' maps say which pixels each classified correctly.
"""

from collections import OrderedDict
from itertools import combinations
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from shared_data.comparison.diff import PLUS_MINUS, markdown_table, percent, probability
from shared_data.comparison.published import METRICS
from shared_data.errors import RecordError
from shared_data.evaluation.statistics import discordant, holm, mcnemar, mean_and_std
from shared_data.records.map_codec import has_maps, name_of, right_of

PROTOCOL = "disjoint"
NO_RUNS = "No runs under the protocol `disjoint`."

Record = Dict[str, Any]
Span = Tuple[int, int]  # smallest and largest over seeds


class MethodRow(NamedTuple):
    """One method on one scene; accuracies are fractions as (mean, sample standard deviation or None)."""

    scene: str
    method: str
    seeds: Tuple[int, ...]
    oa: Tuple[float, Optional[float]]
    aa: Tuple[float, Optional[float]]
    kappa: Tuple[float, Optional[float]]
    train: Span  # training pixels
    not_tested: Span  # classes without a test pixel
    num_classes: int
    epochs: Optional[Span]  # None where the method does not train by epochs
    steps: Optional[Span]  # optimizer steps; None where the method does not train by steps
    modified: Tuple[str, ...]  # configuration keys that differ from the packaged ones
    verified: bool  # all scene files are the catalogue's


class Pair(NamedTuple):
    """Two methods on the test pixels of one scene and seed; `p_holm` is corrected for all pairs of the scene."""

    scene: str
    seed: int
    method_a: str
    method_b: str
    only_a_right: int
    only_b_right: int
    p: float
    p_holm: float


def method_of(record: Record) -> str:
    """The method's name: the paper, and the part of the configuration's name behind the scene."""
    variant = record["experiment"].replace(record["scene"], "", 1).strip("-")
    return record["paper"] + (" " + variant if variant else "")


def disjoint_rows(records: Iterable[Record]) -> List[MethodRow]:
    """A row per scene and method of the runs under `disjoint`, scene by scene, highest mean overall accuracy first.

    Raises: RecordError where two runs of one scene and seed were tested on different pixels.
    """
    kept = _comparable(records)
    groups: "OrderedDict[Tuple[str, str], List[Record]]" = OrderedDict()
    for record in kept:
        groups.setdefault((record["scene"], method_of(record)), []).append(record)
    rows = [_row(scene, method, members) for (scene, method), members in groups.items()]
    return sorted(rows, key=lambda row: (row.scene, -row.oa[0], row.method))


def pairwise(records: Iterable[Record]) -> List[Pair]:
    """McNemar's test between any two methods on the same scene and seed, scene by scene; better methods first.

    Runs whose records hold no maps are left out. Raises: RecordError as `disjoint_rows`, and for damaged maps.
    """
    kept = _comparable(records)
    rank = {(row.scene, row.method): place for place, row in enumerate(disjoint_rows(kept))}
    groups: Dict[Tuple[str, int], List[Tuple[int, str, Any]]] = {}
    for record in filter(has_maps, kept):
        method = method_of(record)
        member = (rank[record["scene"], method], method, right_of(record))
        groups.setdefault((record["scene"], record["seed"]), []).append(member)
    pairs: List[Pair] = []
    for scene, seed in sorted(groups):
        members = sorted(groups[scene, seed], key=lambda member: member[0])
        for (_, method_a, right_a), (_, method_b, right_b) in combinations(members, 2):
            counts = discordant(right_a, right_b)
            pairs.append(Pair(scene, seed, method_a, method_b, *counts, mcnemar(*counts), 1.0))
    return [pair for scene in sorted({scene for scene, _ in groups}) for pair in _corrected(pairs, scene)]


def _corrected(pairs: Sequence[Pair], scene: str) -> List[Pair]:
    family = [pair for pair in pairs if pair.scene == scene]
    return [pair._replace(p_holm=p) for pair, p in zip(family, holm([pair.p for pair in family]))]


def disjoint_table(records: Iterable[Record]) -> str:
    """`disjoint_rows` as a Markdown table; a sentence where there are none."""
    rows = disjoint_rows(records)
    if not rows:
        return NO_RUNS
    header = ("scene", "method", "OA", "AA", "kappa ×100", "n", "seeds", "training pixels", "classes not tested",
              "training", "modified", "data")  # fmt: skip
    table = markdown_table(header, [_cells(row) for row in rows])
    if any(row.oa[1] is not None for row in rows):
        table += "\n\n" + PLUS_MINUS
    if len({(row.scene, row.seeds) for row in rows}) > len({row.scene for row in rows}):
        table += (
            "\n\nMethods with other seeds were tested on other splits; only equal seeds compare on the same pixels."
        )
    return table


def pairs_table(records: Iterable[Record]) -> str:
    """`pairwise` as a Markdown table, a line per pair and a column per seed; a sentence where there are none.

    A cell reads: test pixels that only A gets right : those that only B gets right, p after Holm's correction.
    """
    records = list(records)
    pairs = pairwise(records)
    if not pairs:
        return "No two runs under the protocol `disjoint` that share scene and seed and hold maps."
    seeds = sorted({pair.seed for pair in pairs})
    lines: "OrderedDict[Tuple[str, str, str], Dict[int, str]]" = OrderedDict()
    for pair in pairs:
        cell = "%d : %d, %s" % (pair.only_a_right, pair.only_b_right, probability(pair.p_holm))
        lines.setdefault((pair.scene, pair.method_a, pair.method_b), {})[pair.seed] = cell
    table = markdown_table(
        ["scene", "A", "B"] + ["seed %d" % seed for seed in seeds],
        [list(key) + [cells.get(seed, "–") for seed in seeds] for key, cells in lines.items()],
    )
    without = [name_of(record) for record in _comparable(records) if not has_maps(record)]
    remark = "\n\nWithout maps in their records, and so left out: %s." % "; ".join(without) if without else ""
    return table + (
        "\n\nOnly A right : only B right, and p of McNemar's test after Holm's correction for all cells of the scene. "
        "The test takes pixels as independent; neighbours are not, so p is too small." + remark
    )


def _comparable(records: Iterable[Record]) -> List[Record]:
    """The records under `disjoint`. Raises: RecordError where equal scene and seed have different test pixels."""
    kept = [record for record in records if record["protocol"] == PROTOCOL]
    first: Dict[Tuple[str, int], Record] = {}
    for record in kept:
        other = first.setdefault((record["scene"], record["seed"]), record)
        for part, found in record["split"].items():
            if found["sha256"] != other["split"][part]["sha256"]:
                raise RecordError(
                    "%s and %s differ in their %s pixels (%s and %s), so they cannot be compared; run both again with "
                    "the same scene files."
                    % (name_of(other), name_of(record), part, other["split"][part]["sha256"][:12], found["sha256"][:12])
                )
    return kept


def _row(scene: str, method: str, records: List[Record]) -> MethodRow:
    oa, aa, kappa = (mean_and_std([record["metrics"][name] for record in records]) for name in METRICS)
    per_class = [record["metrics"]["per_class"] for record in records]
    settings = [record["config"].get("train", {}) for record in records]
    by_epochs = all("epochs" in train for train in settings)
    steps = [record["selection"].get("last_step", record["selection"]["step"]) for record in records]
    return MethodRow(
        scene=scene,
        method=method,
        seeds=tuple(sorted(record["seed"] for record in records)),
        oa=oa,
        aa=aa,
        kappa=kappa,
        train=_span(record["split"]["train"]["size"] for record in records),
        not_tested=_span(classes.count(None) for classes in per_class),
        num_classes=len(per_class[0]),
        # a history has an entry per epoch where a method trains by epochs
        epochs=_span(len(record["history"]) for record in records) if by_epochs else None,
        steps=_span(steps) if all(settings) else None,
        modified=tuple(sorted({key for record in records for key in record["modified"]})),
        verified=all(record["data_verified"] for record in records),
    )


def _span(values: Iterable[int]) -> Span:
    values = list(values)
    return min(values), max(values)


def _shown(span: Span) -> str:
    return str(span[0]) if span[0] == span[1] else "%d–%d" % span


def _data(row: MethodRow) -> str:
    if row.scene == "synthetic":
        return "generated"
    return "verified" if row.verified else "unverified"


def _cells(row: MethodRow) -> Tuple[str, ...]:
    training = ["%s %s" % (_shown(span), unit) for span, unit in ((row.epochs, "epochs"), (row.steps, "steps")) if span]
    return (
        row.scene,
        row.method,
        percent(*row.oa),
        percent(*row.aa),
        percent(*row.kappa),
        str(len(row.seeds)),
        " ".join(map(str, row.seeds)),
        _shown(row.train),
        "%s of %d" % (_shown(row.not_tested), row.num_classes),
        ", ".join(training) or "–",
        ", ".join(row.modified) or "–",
        _data(row),
    )
