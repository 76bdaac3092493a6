"""The report's facts about one run, as plain data: the record's numbers in the order of the page."""

import re
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from shared_data.comparison.diff import doubts
from shared_data.errors import RecordError
from shared_data.evaluation.field_statistics import bootstrap_intervals, design_effect
from shared_data.evaluation.metrics import class_accuracies, disagreement
from shared_data.records.audit_file import verdict_of
from shared_data.records.counts import distances_of, has_units, matrix_of, units_of
from shared_data.records.record_scene import is_own
from shared_data.report import run_maps
from shared_data.report.charts import curves
from shared_data.report.run_maps import RunMaps
from shared_data.scenes.catalogue import Scene

# the pixels an accuracy is of, by the ending of its name
EVALUATIONS = {
    "": "test pixels",
    "released": "by the release's own definition",
    "last": "weights of the last step",
    "op": "labels held out inside training windows",
}
_NAMES = {"oa": "OA", "aa": "AA", "kappa": "kappa × 100"}
_ENDING = re.compile(r"(.+)_(released|last|op)\Z")


def run_facts(path: Path, record: Dict[str, Any], maps: RunMaps) -> Dict[str, Any]:
    """The facts of one run; fractions stay fractions, nothing is formatted."""
    key = (record["paper"], record["experiment"], record["protocol"], record["seed"])
    fields = _fields(record)
    return {
        "anchor": anchor_of(record),
        "title": "%s · %s · %s · seed %d" % ((key[0].upper(),) + key[1:]),
        "path": path.as_posix(),
        "paper": record["paper"],
        "experiment": record["experiment"],
        "scene_title": maps.scene.title if maps.scene else record["scene"],
        "own_scene": is_own(record),
        "protocol": record["protocol"],
        "seed": record["seed"],
        "doubts": list(doubts([record])),
        "metrics": {name: record["metrics"][name] for name in ("oa", "aa", "kappa")},
        "evaluations": _evaluations(record["metrics"]),
        "selection": record["selection"],
        "test_pixels": record["split"]["test"]["size"],
        "classes": _classes(record, maps.scene, fields),
        "confusion": record["metrics"]["confusion"],
        "disagreement": _disagreement(record),
        "fields": fields,
        "distances": _distances(record),
        "folds": len(record.get("folds", [])),
        "context": record.get("context"),
        "untrained": record.get("untrained", []),
        "maps": _map_facts(record, maps),
        "curves": curves(record["history"]),
        "audit": _audit(record),
        "audit_verdict": verdict_of(record),
        "data": record["data"],
        "revision": record["revision"],
        "resumed_from": record.get("resumed_from", []),
        "environment": record["environment"],
        "libraries": _libraries(record["environment"]),
        "times": record["times"],
        "memory": record["memory"],
        "finished_at": record["finished_at"],
        "split": record["split"],
        "decisions": record["decisions"],
        "config": record["config"],
    }


def anchor_of(record: Dict[str, Any]) -> str:
    """The name by which the page links to a run."""
    return "run-%s-%s-%s-%d" % (record["paper"], record["experiment"], record["protocol"], record["seed"])


def _evaluations(metrics: Dict[str, Any]) -> Dict[str, Any]:
    """{columns, rows: [{name, values}]}: one column per kind of evaluation, None where a number is not given."""
    table: Dict[str, Dict[str, float]] = {}
    for name, value in metrics.items():
        match = _ENDING.match(name)
        base, ending = match.groups() if match else (name, "")
        if match or base in _NAMES:
            table.setdefault(base, {})[ending] = value
    endings = [ending for ending in EVALUATIONS if any(ending in row for row in table.values())]
    names = list(_NAMES) + sorted(set(table) - set(_NAMES))
    return {
        "columns": [EVALUATIONS[ending] for ending in endings],
        "rows": [
            {"name": _NAMES.get(name, name), "values": [table[name].get(ending) for ending in endings]}
            for name in names
        ],
    }


def _classes(record: Dict[str, Any], scene: Optional[Scene], fields: Optional[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """A line per class; interval: of its recall, over spatial units, None where the record does not count them."""
    accuracies = record["metrics"]["per_class"]
    names = scene.class_names if scene and scene.num_classes == len(accuracies) else ()
    matrix = _matrix(record)
    users = [] if matrix is None else class_accuracies(matrix).users
    intervals = fields["recall"] if fields and not fields["problem"] else [None] * len(accuracies)
    rows = []
    for index, accuracy in enumerate(accuracies):
        row = {"label": index + 1, "name": names[index] if names else "class %d" % (index + 1), "accuracy": accuracy}
        row["users"] = users[index] if index < len(users) else None
        row["interval"] = intervals[index]
        for part in ("train", "val", "test"):
            counts = record["split"][part]["per_class"]
            row[part] = counts[index] if index < len(counts) else None
        rows.append(row)
    return rows


def _matrix(record: Dict[str, Any]) -> Optional[np.ndarray]:
    """The confusion matrix; None where it is none."""
    try:
        return matrix_of(record)
    except RecordError:
        return None


def _disagreement(record: Dict[str, Any]) -> Optional[Dict[str, float]]:
    """{quantity, allocation}; None without a confusion matrix."""
    matrix = _matrix(record)
    return None if matrix is None else dict(disagreement(matrix)._asdict())


def _distances(record: Dict[str, Any]) -> List[Dict[str, int]]:
    """The test pixels by distance; empty where the record holds none, or others than it has tested."""
    try:
        return distances_of(record)
    except RecordError:
        return []


def _fields(record: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """{units, effective_n, oa, aa, kappa, recall}: the number of spatial units, and intervals over them.

    None where the record does not count its test pixels by unit; {problem} where its counts cannot be used.
    """
    if not has_units(record):
        return None
    try:
        counts = units_of(record)
    except RecordError as error:
        return {"problem": str(error)}
    effect = design_effect(counts)
    effective = {"units": len(counts.unit), "effective_n": effect.effective_n if effect else None}
    return dict(bootstrap_intervals(counts)._asdict(), problem="", **effective)


def _map_facts(record: Dict[str, Any], maps: RunMaps) -> Dict[str, Any]:
    """Pixel counts of the pictures, and a remark where these disagree with the record's overall accuracy."""
    facts: Dict[str, Any] = {"remarks": list(maps.remarks)}
    outcome = maps.outcome()
    if outcome is None:
        return facts
    counts = np.bincount(outcome.ravel(), minlength=4)
    right, wrong = int(counts[run_maps.RIGHT]), int(counts[run_maps.WRONG])
    facts.update(right=right, wrong=wrong, not_tested=int(counts[run_maps.NOT_TESTED]))
    if right + wrong:
        accuracy = right / (right + wrong)
        if abs(accuracy - record["metrics"]["oa"]) >= 1e-6:
            facts["remarks"].append(
                "The pictures give an overall accuracy of %.2f %%, the record says %.2f %%."
                % (100 * accuracy, 100 * record["metrics"]["oa"])
            )
    return facts


def _libraries(environment: Dict[str, Any]) -> str:
    """Names and versions of the libraries beside the framework, as far as the record holds them."""
    names = (("numpy", "numpy"), ("scipy", "scipy"), ("scikit-learn", "scikit_learn"))
    found = ["%s %s" % (name, environment[key]) for name, key in names if key in environment]
    return ", ".join(found) or "–"


def _audit(record: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """The audit's facts, those whose names begin with "audit_" first; None where the run was not audited."""
    audit = record.get("audit")
    if audit is None:
        return None
    return {name: audit[name] for name in sorted(audit, key=lambda name: (not name.startswith("audit_"), name))}
