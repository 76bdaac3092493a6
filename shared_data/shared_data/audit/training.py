"""Do test labels influence the weights or their selection? Compares trainings with true and permuted test labels.

A permutation keeps the number of test pixels per class, so a method that uses only these counts of the test labels
passes.
"""

import json
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.audit.changes import hidden_pixels, permute_labels
from shared_data.audit.finding import CLEAN, LEAKS, NOT_AUDITED, NOT_DETERMINISTIC, Finding, Value
from shared_data.evaluation.weights import weights_sha256
from shared_data.splits.draws import Split


class Trained(NamedTuple):
    """The result of one training.

    weights: after the last step, by name; everything learnt must be among them.
    selection: all that decides which step's weights are used (step, best monitored value); None where nothing is
        selected. shown: the numbers shown while training, before the final evaluation. Both are JSON values.
    prediction: (H, W) classes 1..K.
    """

    weights: Mapping[str, np.ndarray]
    selection: Any = None
    prediction: Optional[np.ndarray] = None
    shown: Any = None


def training_findings(
    train: Callable[[np.ndarray], Trained], first: Trained, ground_truth: np.ndarray, split: Split, seed: int
) -> Tuple[Finding, Finding]:
    """The items `labels` and `selection`.

    train: trains on a (H, W) ground truth, always from the same seed. first: its result with true labels. It is called
    again with permuted test labels and, where that result differs, once more with the true ones.
    """
    hidden = hidden_pixels(ground_truth, split)
    permuted = permute_labels(ground_truth, hidden, seed)
    if permuted is None:
        reason = "the %d test pixels that neither train nor validate hold fewer than two classes to exchange"
        sentence = reason % hidden.size
        return Finding("labels", NOT_AUDITED, sentence), Finding("selection", NOT_AUDITED, sentence)
    count = int((permuted != ground_truth).sum())
    changed = "with the labels of %d of %d test pixels changed" % (count, hidden.size)
    others = np.unique(split.test).size - hidden.size
    if others:
        changed += " (%d more are not hidden: they train, validate or have no label)" % others
    one, other = _Trace.of(first), _Trace.of(train(permuted))
    again = one if one == other else _Trace.of(train(ground_truth))
    return _labels(one, other, again, changed, {"labels_changed": count}), _selection(one, other, again, changed)


class _Trace(NamedTuple):
    """Three texts that are equal for equal results of a training."""

    weights: str
    selection: str
    shown: str

    @classmethod
    def of(cls, trained: Trained) -> "_Trace":
        return cls(weights_sha256(trained.weights), _text(trained.selection), _text(trained.shown))


def _text(values: Any) -> str:
    """JSON text; equal for equal values, also for numpy's and for NaN."""
    return json.dumps(values, sort_keys=True, default=lambda array: array.tolist())


def _labels(one: _Trace, other: _Trace, again: _Trace, changed: str, numbers: Dict[str, Value]) -> Finding:
    numbers = dict(numbers, labels_sha256=one.weights)
    if one.weights == other.weights:
        evidence = "no test label reached training: %s the weights after training are the same, sha256 %s"
        return Finding("labels", CLEAN, evidence % (changed, one.weights[:12]), numbers)
    if one.weights != again.weights:
        evidence = "nothing can be told: two trainings on the same scene leave different weights, sha256 %s and %s"
        return Finding("labels", NOT_DETERMINISTIC, evidence % (one.weights[:12], again.weights[:12]), numbers)
    evidence = (
        "test labels reached training: %s the weights after training are sha256 %s instead of %s, which a second "
        "training on the true labels repeats" % (changed, other.weights[:12], one.weights[:12])
    )
    return Finding("labels", LEAKS, evidence, dict(numbers, labels_sha256_altered=other.weights))


def _selection(one: _Trace, other: _Trace, again: _Trace, changed: str) -> Finding:
    if one.selection != other.selection:
        return _different_selection(one, other, again, changed)
    if one.selection == _text(None):
        evidence = "nothing is selected"
    else:
        evidence = "no test label decides which weights are used: %s the selection is the same, %s" % (
            changed,
            _short(one.selection),
        )
    if one.weights != other.weights or one.shown == other.shown:
        return Finding("selection", CLEAN, evidence)
    if one.shown != again.shown:
        evidence += "; the numbers shown while training differ on the same scene too, so nothing can be told of them"
        return Finding("selection", CLEAN, evidence)
    evidence += "; test labels are read while training to show numbers, but they choose nothing"
    return Finding("selection", CLEAN, evidence, {"selection_shows_test_labels": True})


def _different_selection(one: _Trace, other: _Trace, again: _Trace, changed: str) -> Finding:
    if one.selection != again.selection:
        evidence = "nothing can be told: two trainings on the same scene select differently, %s and %s"
        return Finding("selection", NOT_DETERMINISTIC, evidence % (_short(one.selection), _short(again.selection)))
    evidence = "%s the selection is %s instead of %s" % (changed, _short(other.selection), _short(one.selection))
    if one.weights != other.weights:
        evidence += "; training itself already differs, and the selection may differ for that reason alone"
    return Finding("selection", LEAKS, evidence)


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
