"""Positive controls: what must change a result does change it; and what a method knows beside what it is given.

A method that has the test labels from elsewhere (a file, an earlier call) is not reached by altered labels. It betrays
itself where what it is given contradicts them: the classes of all training labels exchanged, or the scene turned.
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.audit.alterations import shuffle_spectra, turn, with_labels
from shared_data.audit.finding import IGNORES_LABELS, IGNORES_SPECTRA, NOT_AUDITED, RESPONDS, Finding, Value
from shared_data.audit.pixels import hidden_test_pixels
from shared_data.audit.trials import PREDICTION, TRAINING, Trial, Trials, World
from shared_data.evaluation.metrics import evaluate
from shared_data.splits.draws import Split, mask_of

_SEED = 0
_KNOWN = 0.3  # kappa with true labels, where training labels speak against them, and above what those explain
_LOST = 0.4  # of kappa, where the scene is turned


class Controls(NamedTuple):
    """finding: of the item `control`. traces: (stage, clause of evidence) of test labels that a method has from
    elsewhere."""

    finding: Finding
    traces: Tuple[Tuple[str, str], ...]


class _Exchange(NamedTuple):
    """world: where classes are exchanged. expected: (H, W) classes that a method predicts there which knows no other
    labels: the base's, exchanged likewise."""

    world: World
    expected: np.ndarray


def run_controls(trials: Trials) -> Controls:
    """Three trainings: spectra of other pixels, exchanged classes, the scene turned."""
    base, world = trials.base, trials.world
    exchange = _exchange(trials)
    if exchange is None:
        evidence = "the pixels that are not tested have labels of one class alone"
        return Controls(Finding("control", NOT_AUDITED, evidence), ())
    shuffled = trials.train(world._replace(cube=shuffle_spectra(world.cube, _SEED)))
    exchanged = trials.train(exchange.world)
    words: List[str] = []
    if _unchanged(base, shuffled):
        words.append(IGNORES_SPECTRA)
    if _unchanged(base, exchanged):
        words.append(IGNORES_LABELS)
    kappa = {"true scene": _kappa(trials, base.prediction)}
    kappa["exchanged"], kappa["shuffled"] = (_kappa(trials, trial.prediction) for trial in (exchanged, shuffled))
    traces = _traces_of_exchange(kappa, _kappa(trials, exchange.expected))
    if trials.draw.plan is None:
        turned = trials.train(turned_world(trials))
        kappa["turned"] = _kappa(trials, turn(turned.prediction))
        if not traces and not words:
            traces = _traces_of_turning(trials, turned, kappa["true scene"] - kappa["turned"])
    evidence = "the result %s with spectra of other pixels, and %s with exchanged classes; kappa on test pixels: %s" % (
        "is the same" if IGNORES_SPECTRA in words else "changes",
        "is the same" if IGNORES_LABELS in words else "changes",
        ", ".join("%s %.3f" % (name, value) for name, value in sorted(kappa.items())),
    )
    numbers: Dict[str, Value] = {"kappa_" + name.replace(" ", "_"): value for name, value in kappa.items()}
    verdict = "; ".join(words) or RESPONDS
    return Controls(Finding("control", verdict, evidence, numbers, tuple(words)), tuple(traces))


def turned_world(trials: Trials) -> World:
    """The scene, its labels and its pixels turned by 180°; the pixels keep their order."""
    world, last = trials.world, trials.world.truth.size - 1
    split = Split(*(last - part for part in world.draw.split))
    return World(turn(world.cube), turn(world.truth), world.draw._replace(split=split))


def _exchange(trials: Trials) -> Optional[_Exchange]:
    """The labels of every class but those of test pixels replaced by those of another class; None for fewer than two
    classes.

    The exchange is a rotation of the classes, that one by which the base's own errors agree least with true labels.
    """
    truth, split, predicted = trials.world.truth, trials.draw.split, trials.base.prediction
    used = np.setdiff1d(np.flatnonzero(truth), hidden_test_pixels(truth, split))
    classes = np.unique(truth.ravel()[used])
    if len(classes) < 2:
        return None
    test = truth.ravel()[split.test]

    def rotated(labels: np.ndarray, by: int) -> np.ndarray:
        others = np.arange(256)
        others[classes] = np.roll(classes, by)
        return others[labels]

    def agreement(by: int) -> float:
        return float(np.mean(rotated(predicted.ravel()[split.test], by) == test))

    by = min(range(1, len(classes)), key=agreement)
    world = trials.world._replace(truth=with_labels(truth, used, rotated(truth.ravel()[used], by)))
    return _Exchange(world, rotated(predicted, by))


def _traces_of_exchange(kappa: Dict[str, float], expected: float) -> List[Tuple[str, str]]:
    """What exchanged classes tell. kappa: of the trials by name. expected: of a method that knows no other labels.

    The expected kappa may be high too: of two classes, a method that mistakes most test pixels for the other class, as
    in another illumination, gets them right when the classes are exchanged.
    """
    if kappa["exchanged"] <= _KNOWN or kappa["exchanged"] - expected <= _KNOWN:
        return []
    # what is known without spectra was not learnt from them
    stage = PREDICTION if kappa["shuffled"] > _KNOWN else TRAINING
    clause = "although the classes of all other labels are exchanged, predictions agree with the true labels of test "
    told = "pixels (kappa %.3f; a method without them would have %.3f)" % (kappa["exchanged"], expected)
    return [(stage, clause + told)]


def _traces_of_turning(trials: Trials, turned: Trial, lost: float) -> List[Tuple[str, str]]:
    """What turning the scene, its labels and its pixels tells. lost: kappa.

    A method whose receptive field is one pixel predicts the same where its weights are; others may not, because a
    patch is turned too. Their accuracy may change somewhat.
    """
    base, test = trials.base, mask_of(trials.draw.split.test, trials.world.truth.shape)
    alone = np.array_equal(trials.receptive_field(test), test)
    same = np.array_equal(turn(turned.prediction), base.prediction)
    if alone and (turned.last, turned.used) == (base.last, base.used) and not same:
        clause = "with the scene turned by 180°, its labels and sets too, weights are the same and predictions differ: "
        return [(PREDICTION, clause + "something is known of the true positions")]
    clause = "with the scene turned by 180°, its labels and sets too, %.3f of kappa is lost"
    return [(PREDICTION, clause % lost)] if lost > _LOST else []


def _unchanged(base: Trial, trial: Trial) -> bool:
    """Whether a result ignores what was changed. A prediction of one class alone, as after few steps, tells nothing
    without the weights."""
    if not np.array_equal(base.prediction, trial.prediction):
        return False
    return base.last == trial.last or np.unique(base.prediction).size > 1


def _kappa(trials: Trials, prediction: np.ndarray) -> float:
    """Of the labelled test pixels."""
    truth, test = trials.world.truth.ravel(), trials.draw.split.test
    labelled = test[truth[test] > 0]
    return evaluate(truth[labelled], prediction.ravel()[labelled], trials.loaded.scene.num_classes).kappa
