"""Do the labels of test, gap or validation pixels change what a method learns, selects or predicts?"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from shared_data.audit.alterations import permute_labels, redraw_labels
from shared_data.audit.finding import (
    NOT_AUDITED,
    NOT_DETERMINISTIC,
    USES_GAP_LABELS,
    USES_VALIDATION_LABELS,
    Finding,
    Value,
    found,
    order_depends,
    uses_test_labels,
)
from shared_data.audit.origin import ORDER, move, origin
from shared_data.audit.pixels import gap_pixels, hidden_test_pixels
from shared_data.audit.trials import PREDICTION, SELECTION, TRAINING, Trials, World, compare

_STAGES = (TRAINING, SELECTION, PREDICTION, ORDER)
_PRESERVING, _ARBITRARY = "permuted with the pixels of every class kept in number", "drawn anew"
_WHERE = {
    TRAINING: "the weights after the last step differ",
    SELECTION: "the weights after the last step are the same, but others are used or the monitored value differs",
    PREDICTION: "the weights are the same, but the prediction differs",
    ORDER: "the weights after the last step differ, but only by the order of training examples",
}
_SEED = 0


class Use(NamedTuple):
    """Whether labels are used. stages: of `_STAGES`, in their order. clauses: of evidence. shown: whether only numbers
    that are shown while training differ."""

    stages: Tuple[str, ...]
    clauses: Tuple[str, ...]
    shown: bool


class Hidden(NamedTuple):
    """The items `test_labels` and `gap_labels`; the stages that use test labels."""

    test: Finding
    gap: Finding
    stages: Tuple[str, ...]


def hidden_findings(trials: Trials, traces: Sequence[Tuple[str, str]], known: Sequence[Tuple[str, str]]) -> Hidden:
    """The findings on labels of test and gap pixels.

    traces: (stage, clause of evidence) of test labels that a method reads by itself. known: the same of test labels
    that it has from elsewhere; they are told where altered labels change nothing.
    Both sets are altered together first. Only where that changes something, each is altered alone.
    """
    truth, split = trials.world.truth, trials.draw.split
    test, gap = hidden_test_pixels(truth, split), gap_pixels(truth, split)
    together = [(_both(trials, (test, gap), name), name) for name in (_PRESERVING, _ARBITRARY)]
    joint = _use(trials, together)
    if joint.stages and not trials.repeats:
        sentence = "nothing can be told: two trainings on the same scene give different results"
        return Hidden(_undecided("test_labels", sentence), _undecided("gap_labels", sentence), ())
    unused = joint._replace(stages=(), clauses=())
    of_gap = unused
    of_test = joint  # where neither set alone changes anything, the change is put down to the test labels
    if joint.stages and gap.size:
        of_gap = _use_of(trials, gap)
        alone = _use_of(trials, test)
        of_test = alone if alone.stages or of_gap.stages else joint
    elif joint.stages:
        of_test = _use_of(trials, test)
    if not (of_test.stages or of_gap.stages):
        of_test, of_gap = _uses_of_places(trials, test, gap, unused)
    told = list(traces) + ([] if of_test.stages else list(known))
    stages = _in_order(list(of_test.stages) + [stage for stage, _ in told])
    about_test = _test_finding(trials, test, of_test, stages, [clause for _, clause in told])
    return Hidden(about_test, _gap_finding(trials, gap, of_gap), stages)


def validation_finding(trials: Trials) -> Finding:
    """The item `validation_labels`: they may select, but not train. Trainings of different length are compared after
    the shorter one's last step."""
    truth, split = trials.world.truth, trials.draw.split
    pixels = np.setdiff1d(split.val, split.train)
    pixels = pixels[truth.ravel()[pixels] > 0]
    if not pixels.size:
        return Finding("validation_labels", NOT_AUDITED, "no pixel validates")
    num_classes = trials.loaded.scene.num_classes
    if num_classes < 2:
        return Finding("validation_labels", NOT_AUDITED, "there is one class")
    world = trials.world._replace(truth=redraw_labels(truth, pixels, num_classes, _SEED))
    one, other = trials.base, trials.train(world, predict=False)
    steps: Optional[int] = None
    selects = (one.used, one.selection) != (other.used, other.selection)
    if one.last != other.last and one.steps != other.steps:
        steps = min(one.steps, other.steps)
        one, other = (trials.train(each, steps, predict=False) for each in (trials.world, world))
    changed = "with the labels of %d validation pixels drawn anew " % pixels.size
    numbers: Dict[str, Value] = {"validation_labels_changed": int(pixels.size)}
    if one.last != other.last:
        if not trials.repeats:
            sentence = "nothing can be told: two trainings on the same scene give different results"
            return _undecided("validation_labels", sentence)
        stage, clause = origin(trials, pixels, steps)
        if stage != SELECTION:
            words = (USES_VALIDATION_LABELS if stage == TRAINING else order_depends("validation"),)
            evidence = changed + "%s; %s" % (_WHERE[stage], clause)
            return found("validation_labels", words, evidence, numbers, one.steps)
        return found("validation_labels", (), changed + "another candidate is chosen; " + clause, numbers, one.steps)
    evidence = changed + "the weights after the last step are the same; they %s which are used" % (
        "determine" if selects else "do not determine"
    )
    return found("validation_labels", (), evidence, numbers, one.steps)


def _both(trials: Trials, parts: Sequence[np.ndarray], name: str) -> Optional[World]:
    """The world with the labels of several sets of pixels altered, each among itself; None where nothing can be."""
    truth, num_classes = trials.world.truth, trials.loaded.scene.num_classes
    altered = truth
    for pixels in parts:
        if name == _PRESERVING:
            permuted = permute_labels(altered, pixels, _SEED)
            altered = altered if permuted is None else permuted
        elif pixels.size and num_classes > 1:
            altered = redraw_labels(altered, pixels, num_classes, _SEED)
    return None if np.array_equal(altered, truth) else trials.world._replace(truth=altered)


def _use(trials: Trials, worlds: Sequence[Tuple[Optional[World], str]]) -> Use:
    """What changes in some of these worlds."""
    stages: List[str] = []
    clauses: List[str] = []
    shown = False
    for world, name in worlds:
        if world is None:
            continue
        trial = trials.train(world)
        differing = compare(trials.base, trial)
        shown = shown or trial.shown != trials.base.shown
        stages.extend(differing)
        clauses.extend("where they are %s, %s" % (name, _WHERE[stage]) for stage in differing)
    return Use(_in_order(stages), tuple(clauses), shown and not stages)


def _use_of(trials: Trials, pixels: np.ndarray) -> Use:
    """The same for the labels of one set of pixels; a change of the weights is put down to what it comes from."""
    use = _use(trials, [(_both(trials, (pixels,), name), name) for name in (_PRESERVING, _ARBITRARY)])
    if TRAINING not in use.stages:
        return use
    stage, clause = origin(trials, pixels)
    others = [each for each in use.stages if each != TRAINING]
    if len(use.clauses) == 1 and _ARBITRARY in use.clauses[0]:
        clause += "; only the number of pixels of every class matters"
    return use._replace(stages=_in_order(others + [stage]), clauses=use.clauses + (clause,))


def _uses_of_places(trials: Trials, test: np.ndarray, gap: np.ndarray, unused: Use) -> Tuple[Use, Use]:
    """Whether it matters which test and gap pixels have a label at all, for a method to which classes do not matter.

    Half of the labels are moved to pixels without one, so that their number stays the same, of both sets and then of
    each alone; predictions count where the label stays. A change of order, as where all labelled pixels are shuffled,
    is not held against a method.
    """
    random = np.random.RandomState(_SEED)
    parts = [random.permutation(pixels)[::2] for pixels in (test, gap)]

    def use(moved: np.ndarray) -> Use:
        trial = trials.train(trials.world._replace(truth=move(trials, moved, _SEED)))
        stages, clause = compare(trials.base, trial, np.setdiff1d(test, moved)), ""
        if TRAINING in stages:
            stage, clause = origin(trials, moved, alter=move)
            stages = (stage,) * (stage != ORDER)
        clauses = tuple("where half of them are moved to unlabelled pixels, " + _WHERE[stage] for stage in stages)
        return unused._replace(stages=stages, clauses=clauses + (clause,) * bool(clauses and clause))

    if not (use(np.concatenate(parts)).stages and trials.repeats):
        return unused, unused
    of_test, of_gap = (use(part) if part.size else unused for part in parts)
    return of_test, of_gap


def _in_order(stages: Sequence[str]) -> Tuple[str, ...]:
    return tuple(stage for stage in _STAGES if stage in stages)


def _test_finding(trials: Trials, pixels: np.ndarray, use: Use, stages: Sequence[str], told: Sequence[str]) -> Finding:
    """stages: those of `use`, and what else is told in clauses of evidence."""
    base = trials.base
    numbers: Dict[str, Value] = {"test_labels_changed": int(pixels.size), "weights_sha256": base.last}
    used = [stage for stage in stages if stage != ORDER]
    words = ((uses_test_labels(*used),) if used else ()) + ((order_depends("test"),) if ORDER in stages else ())
    clauses = use.clauses + tuple(told)
    others = np.unique(trials.draw.split.test).size - pixels.size
    counted = "of %d test pixels" % pixels.size
    if others:
        counted += " (%d more are not hidden: they train, validate or have no label)" % others
    if words:
        return found("test_labels", words, "labels %s: %s" % (counted, "; ".join(clauses)), numbers, base.steps)
    evidence = "with other labels %s weights, selection and prediction are the same; weights sha256 %s"
    evidence = evidence % (counted, base.last[:12])
    if use.shown and base.shown == trials.repeated.shown:
        evidence += "; test labels are read to show numbers while training, but they choose nothing"
        numbers["test_labels_shown"] = True
    return found("test_labels", (), evidence, numbers, base.steps)


def _gap_finding(trials: Trials, pixels: np.ndarray, use: Use) -> Finding:
    if not pixels.size:
        return Finding("gap_labels", NOT_AUDITED, "every labelled pixel trains, validates or is tested")
    numbers: Dict[str, Value] = {"gap_labels_changed": int(pixels.size)}
    used = [stage for stage in use.stages if stage != ORDER]
    words = ((USES_GAP_LABELS,) if used else ()) + ((order_depends("gap"),) if ORDER in use.stages else ())
    counted = "labels of %d pixels that neither train, validate nor are tested" % pixels.size
    evidence = "with other %s nothing changes" % counted
    if words:
        evidence = "%s: %s" % (counted, "; ".join(use.clauses))
    return found("gap_labels", words, evidence, numbers, trials.base.steps)


def _undecided(item: str, sentence: str) -> Finding:
    return Finding(item, NOT_DETERMINISTIC, sentence, {}, (NOT_DETERMINISTIC,))
