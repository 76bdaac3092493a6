"""How far test pixels lie from those that train and validate, and how many have a training pixel in their input."""

from typing import Any, Dict, Optional

import numpy as np

from shared_data.audit.finding import FINISHED, Finding, Value
from shared_data.audit.trials import Trials
from shared_data.runs.pixels import context_of
from shared_data.splits.draws import mask_of

NONE, OVERLAPS = "none", "overlaps"


def context_finding(trials: Trials, finished: Optional[np.ndarray]) -> Finding:
    """The item `context`: the record's own numbers, and the accuracy with and without a training pixel in the input.

    finished: (H, W) classes of the finished run; None without one.
    """
    truth, split = trials.world.truth, trials.draw.split
    seeing = trials.receptive_field(mask_of(split.train, truth.shape)).ravel()[split.test]
    context: Dict[str, Any] = context_of(trials.method, trials.configuration, split, truth)
    numbers: Dict[str, Value] = {"context_" + name: value for name, value in context.items() if value is not None}
    share = context["test_with_training_pixel"]
    evidence = "the input of %.2f %% of %d test pixels holds a training pixel" % (100 * share, split.test.size)
    for name in ("training", "validation"):
        if context["test_to_" + name] is not None:
            evidence += "; least distance from test to %s pixels %d" % (name, context["test_to_" + name])
    if finished is not None:
        numbers.update(_accuracies(finished.ravel()[split.test] == truth.ravel()[split.test], seeing))
        numbers["context_oa_of"] = FINISHED
        for name, words in (("oa_seeing", "with"), ("oa_not_seeing", "without")):
            if name in numbers:
                evidence += "; OA %s one %.2f %%" % (words, 100 * float(numbers[name]))
    return Finding("context", OVERLAPS if share else NONE, evidence, numbers)


def _accuracies(correct: np.ndarray, seeing: np.ndarray) -> Dict[str, Value]:
    """correct, seeing: (n) bool, of test pixels."""
    groups = (("oa_seeing", seeing), ("oa_not_seeing", ~seeing))
    return {name: float(correct[group].mean()) for name, group in groups if group.any()}
