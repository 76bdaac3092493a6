"""The report's facts as plain data, which the template lays out."""

import time
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from shared_data.comparison import diff
from shared_data.comparison.methods import PAIRED, PAIRS_HEADER, Comparison, compare_methods
from shared_data.comparison.overview import OTHER_FIELDS, OverviewRow, overview
from shared_data.comparison.published import METRICS, load_papers, load_published
from shared_data.errors import RecordError
from shared_data.evaluation.statistics import mean_and_std
from shared_data.records.audit_file import verdicts_of
from shared_data.records.conflicts import Conflict
from shared_data.report.answers import PROTOCOL_OF, QUESTIONS, answers, summary
from shared_data.report.run_facts import anchor_of, run_facts
from shared_data.report.run_maps import RunMaps
from shared_data.runs import environment
from shared_data.scenes.catalogue import scenes
from shared_data.splits.shared_protocols import MAIN, SHARED, is_shared

VERDICTS = (
    (diff.EQUIVALENT, "the 90 % interval of Δ lies inside ±1 point"),
    ("differs (above), differs (below)", "it does not, and excludes 0"),
    (diff.INCONCLUSIVE, "it does not, and includes 0: more runs would tell"),
    ("one run, two runs", "too few for an interval; Δ alone is shown"),
    (diff.NOT_RUN, "a published number without a run of a protocol that answers it"),
    (diff.NO_NUMBER, "a run without a number to compare it with"),
    (diff.OTHER_SPLIT, "the published number is of another kind of split; no difference is shown"),
    (diff.OTHER_DEFINITION, "the published number is of a metric that these runs do not have; no difference is shown"),
)
DOUBTS = (
    ("synthetic scene", "the scene is generated"),
    (
        "unverified data",
        "its files do not hold the data of the catalogue, or of an own scene's description",
    ),
    ("modified", "the configuration differs from the packaged one, in the keys named"),
    ("truncated", "fewer iterations or epochs were allowed than packaged"),
    ("dirty checkout", "tracked files differed from the commit"),
    ("unknown revision", "nothing told which commit ran"),
    ("several revisions", "the run was resumed by another commit than the one that began it"),
    ("training pixels partly drawn", "of the partition that the authors ship, not every training pixel is known"),
)
PROTOCOLS = (
    ("paper", "the method of the paper's text, our choices where it is silent; test labels at the end alone"),
    ("released", "what the official program does when it is run, flaws included; the paper's README names them"),
) + tuple((name, shared.title) for name, shared in SHARED.items())

Sources = Sequence[Tuple[Path, Dict[str, Any]]]


def described(sources: Sources) -> Sources:
    """The runs that the report describes one by one: those of the papers. Baselines have a line each."""
    papers = {paper.slug for paper in load_papers()}
    return [(path, record) for path, record in sources if record["paper"] in papers]


def collect(
    sources: Sources, maps: Sequence[RunMaps], conflicts: Sequence[Conflict], single_folds: Sequence[Dict[str, Any]]
) -> Dict[str, Any]:
    """All facts of the report. maps: of each of the `described` sources, in the same order; conflicts: met when they
    were read; single_folds: records that are told of, but take no part in any number."""
    records = [record for _, record in sources]
    runs = [run_facts(path, record, found) for (path, record), found in zip(described(sources), maps)]
    compared = comparisons(records)
    by_scene = scene_answers(records, compared)
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "made_by": environment.revision(),
        "records": len(records),
        "scenes": by_scene,
        "questions": QUESTIONS,
        "papers": paper_facts(by_scene, runs),
        "revisions": _revisions(records),
        "verdicts": dict(VERDICTS),
        "doubts": dict(DOUBTS),
        "plus_minus": diff.PLUS_MINUS,
        "paired": PAIRED,
        "pairs_header": list(PAIRS_HEADER),
        "protocols": dict(PROTOCOLS),
        "table": results_table(records),
        "others": other_groups(records),
        "conflicts": [_conflict_facts(conflict) for conflict in conflicts],
        "runs": runs,
        "baselines": baseline_runs(sources),
        "single_folds": [_of_one_fold(record) for record in single_folds],
        "comparisons": compared,
    }


def scene_answers(records: List[Dict[str, Any]], compared: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """What the first page says of each scene; the generated one last, the others by their number of papers' runs.

    Each is {scene, title, overview, summary, answers, grid}.

    grid: [{title, cells}], a row per paper or further configuration of it, with its cells under the protocols as
    {protocol, run, text, verdict, audits, doubts}.
    """
    papers, counts = {paper.slug for paper in load_papers()}, {record["scene"]: 0 for record in records}
    for record in records:
        counts[record["scene"]] += record["paper"] in papers
    found = []
    for scene in sorted(counts, key=lambda name: (name == "synthetic", -counts[name], name)):
        ours = [one["compared"] for one in compared if (one["scene"], one["protocol"]) == (scene, MAIN)]
        beside = next(filter(None, ours), Comparison(scene, MAIN, (), [], [], [], []))
        seen = overview(records, beside, variants=True)
        grid = [{"title": row.title, "cells": _grid_cells(row, records)} for row in seen.rows]
        known = scenes().get(scene)
        found.append(
            {
                "scene": scene,
                "title": known.title if known else scene,
                "overview": seen,
                "summary": summary(seen, beside, records),
                "answers": answers(seen, beside, records),
                "grid": grid,
            }
        )
    return found


def _grid_cells(row: OverviewRow, records: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    cells = []
    for column, protocol in {**PROTOCOL_OF, OTHER_FIELDS: MAIN}.items():
        own, cell = _groups(records).get((row.paper, row.experiment, protocol), []), row.cells[column]
        cells.append(
            {
                "run": anchor_of(own[0]) if own else None,
                "text": cell.text,
                "verdict": cell.verdict,
                "audits": verdicts_of(own) if own else [],
                "doubts": list(cell.doubts),
            }
        )
    return cells


def paper_facts(by_scene: List[Dict[str, Any]], runs: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Papers that have runs: {slug, title, scenes: [{scene, title, sentences}], runs}."""
    found = []
    for paper in load_papers():
        own = [run for run in runs if run["paper"] == paper.slug]
        told = [
            {"scene": one["title"], "title": row.title, "sentences": row.sentences}
            for one in by_scene
            for row in one["answers"]
            if row.paper == paper.slug
        ]
        if own:
            found.append({"slug": paper.slug, "title": paper.title, "scenes": told, "runs": own})
    return found


def results_table(records: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Published against reproduced: {header, rows: [{run, cells}], notes}; rows with a published number alone.

    `cells` are the texts under the header; `run` is the anchor of the first of the row's runs, None without one.
    Columns are the comparison's own, however many it has, and what audits of the row's runs found.
    """
    groups = _groups(records)
    rows = []
    compared = [row for row in diff.compare(records, load_published()) if row.published is not None]
    for row in compared:
        members = groups.get((row.paper, row.experiment, row.protocol), [])
        audited = " / ".join(verdicts_of(members)) if members else "–"
        run = anchor_of(members[0]) if members else None
        rows.append({"run": run, "cells": list(diff.cells(row)) + [audited]})
    return {"header": list(diff.HEADER) + ["audit"], "rows": rows, "notes": diff.notes(compared)}


def other_groups(records: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Runs without a published number to compare them with, baselines among them, a row per paper, experiment and
    protocol: {run, names, metrics: [(mean, std)], n, doubts, audit}."""
    numbers = {(row.paper, row.experiment, row.protocol)
               for row in diff.compare(records, load_published()) if row.published is not None}  # fmt: skip
    papers = [paper.slug for paper in load_papers()]
    groups = _groups(records)
    of_papers = sorted((key for key in groups if key[0] in papers), key=lambda key: papers.index(key[0]))
    return [
        {
            "run": anchor_of(members[0]) if key[0] in papers else None,
            "names": key,
            "metrics": [mean_and_std([record["metrics"][name] for record in members]) for name in METRICS],
            "n": len(members),
            "doubts": "; ".join(diff.doubts(members)),
            "audit": " / ".join(verdicts_of(members)),
        }
        for key, members in [(key, groups[key]) for key in [*of_papers, *(k for k in groups if k[0] not in papers)]]
        if key not in numbers
    ]


def baseline_runs(sources: Sources) -> List[Dict[str, Any]]:
    """A line for every run that is not described: {path, names, metrics}."""
    shown = {path for path, _ in described(sources)}
    return [
        {
            "path": path.as_posix(),
            "names": [record[name] for name in ("paper", "experiment", "protocol", "seed")],
            "metrics": [record["metrics"][name] for name in METRICS],
        }
        for path, record in sources
        if path not in shown
    ]


def _of_one_fold(record: Dict[str, Any]) -> str:
    return "%s %s, %s, seed %d, fold %d: OA %.2f" % (
        record["paper"], record["experiment"], record["protocol"], record["seed"], record["fold"],
        100 * record["metrics"]["oa"],
    )  # fmt: skip


def _groups(records: List[Dict[str, Any]]) -> Dict[Tuple[str, str, str], List[Dict[str, Any]]]:
    groups: Dict[Tuple[str, str, str], List[Dict[str, Any]]] = {}
    for record in records:
        groups.setdefault((record["paper"], record["experiment"], record["protocol"]), []).append(record)
    return groups


def comparisons(records: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """All methods side by side, per scene and shared protocol: {scene, protocol, compared, problem}.

    compared: the `comparison.methods.Comparison`; None where `problem` says why the runs cannot be compared.
    """
    found: List[Dict[str, Any]] = []
    for scene, protocol in sorted({(record["scene"], record["protocol"]) for record in records}):
        if is_shared(protocol):
            compared, problem = None, ""
            try:
                compared = compare_methods(records, scene, protocol)
            except RecordError as error:
                problem = str(error)
            found.append({"scene": scene, "protocol": protocol, "compared": compared, "problem": problem})
    return found


def _conflict_facts(conflict: Conflict) -> Dict[str, Any]:
    """A conflict as plain data; `other` is None where a path disagrees with its own record."""
    return dict(
        conflict._asdict(),
        used=conflict.used.as_posix(),
        other=conflict.other.as_posix() if conflict.other else None,
        sentence=conflict.sentence(),
    )


def _revisions(records: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The commits the runs were made from, with their number of runs; git is None where a record names none."""
    counts: Dict[Tuple[Any, Any], int] = {}
    for record in records:
        key = (record["revision"]["git"], record["revision"]["dirty"])
        counts[key] = counts.get(key, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return [{"git": git, "dirty": dirty, "runs": number} for (git, dirty), number in ordered]
