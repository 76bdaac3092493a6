"""The report's facts as plain data, which the template lays out."""

import time
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from shared_data.comparison import diff
from shared_data.comparison.methods import PAIRED, PAIRS_HEADER, compare_methods
from shared_data.comparison.published import load_published
from shared_data.errors import RecordError
from shared_data.records.conflicts import Conflict
from shared_data.report.run_facts import audit_verdict, run_facts
from shared_data.report.run_maps import RunMaps
from shared_data.runs import environment
from shared_data.splits.shared_protocols import SHARED, is_shared

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
)
PROTOCOLS = (
    ("paper", "what the paper's text says; test labels are not used before the final evaluation"),
    ("released", "what the official program does when it is run, flaws included; the paper's README names them"),
) + tuple((name, shared.title) for name, shared in SHARED.items())

Sources = Sequence[Tuple[Path, Dict[str, Any]]]


def collect(sources: Sources, maps: Sequence[RunMaps], conflicts: Sequence[Conflict]) -> Dict[str, Any]:
    """All facts of the report. maps: of each source, in the same order; conflicts: met when they were read."""
    records = [record for _, record in sources]
    runs = [run_facts(path, record, found) for (path, record), found in zip(sources, maps)]
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "made_by": environment.revision(),
        "methods": sorted({record["paper"] for record in records}),
        "scenes": sorted({run["scene_title"] for run in runs}),
        "revisions": _revisions(records),
        "verdicts": dict(VERDICTS),
        "doubts": dict(DOUBTS),
        "plus_minus": diff.PLUS_MINUS,
        "paired": PAIRED,
        "pairs_header": list(PAIRS_HEADER),
        "protocols": dict(PROTOCOLS),
        "table": results_table(records),
        "conflicts": [_conflict_facts(conflict) for conflict in conflicts],
        "runs": runs,
        "comparisons": comparisons(records),
    }


def results_table(records: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Published against reproduced: {header, rows: [{run, cells}], notes}.

    `cells` are the texts under the header; `run` is the anchor of the first of the row's runs, None without one.
    Columns are the comparison's own, however many it has, and what audits of the row's runs found.
    """
    anchors: Dict[Tuple[str, str, str], str] = {}
    audits: Dict[Tuple[str, str, str], List[str]] = {}
    for record in records:
        key = (record["paper"], record["experiment"], record["protocol"])
        anchors.setdefault(key, "run-%s-%s-%s-%d" % (key + (record["seed"],)))
        audits.setdefault(key, []).append(audit_verdict(record))
    rows, compared = [], diff.compare(records, load_published())
    for row in compared:
        key = (row.paper, row.experiment, row.protocol)
        audited = " / ".join(sorted(set(audits.get(key, [])))) or "–"
        rows.append({"run": anchors.get(key), "cells": list(diff.cells(row)) + [audited]})
    return {"header": list(diff.HEADER) + ["audit"], "rows": rows, "notes": diff.notes(compared)}


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
