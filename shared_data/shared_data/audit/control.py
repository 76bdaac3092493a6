"""Positive controls: what must change a result does change it; and what a method knows beside what it is given.

A method that has the test labels from elsewhere (a file, an earlier call) is not reached by altered labels. It betrays
itself where what it is given contradicts them: the classes of all training labels exchanged, or the scene turned.
"""

from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from shared_data.audit.alterations import shuffle_spectra, turn, with_labels
from shared_data.audit.finding import IGNORES_LABELS, IGNORES_SPECTRA, RESPONDS, Finding, Value
from shared_data.audit.pixels import hidden_test_pixels
from shared_data.audit.trials import PREDICTION, TRAINING, Trial, Trials, World
from shared_data.evaluation.metrics import evaluate
from shared_data.splits.draws import Split, mask_of

_SEED = 0
_KNOWN = 0.3  # kappa with true labels, where training labels speak against them
_LOST = 0.4  # of kappa, where the scene is turned


class Controls(NamedTuple):
    """finding: of the item `control`. traces: (stage, clause of evidence) of test labels that a method has from
    elsewhere."""

    finding: Finding
    traces: Tuple[Tuple[str, str], ...]


def run_controls(trials: Trials) -> Controls:
    """Three trainings: spectra of other pixels, exchanged classes, the scene turned."""
    base, world = trials.base, trials.world
    shuffled = trials.train(world._replace(cube=shuffle_spectra(world.cube, _SEED)))
    exchanged = trials.train(_exchanged(trials))
    words: List[str] = []
    if _unchanged(base, shuffled):
        words.append(IGNORES_SPECTRA)
    if _unchanged(base, exchanged):
        words.append(IGNORES_LABELS)
    kappa = {"true scene": _kappa(trials, base.prediction)}
    kappa["exchanged"], kappa["shuffled"] = (_kappa(trials, trial.prediction) for trial in (exchanged, shuffled))
    traces: List[Tuple[str, str]] = []
    if kappa["exchanged"] > _KNOWN:
        # what is known without spectra was not learnt from them
        stage = PREDICTION if kappa["shuffled"] > _KNOWN else TRAINING
        clause = "although the classes of all other labels are exchanged, predictions agree with the true labels of "
        traces.append((stage, clause + "test pixels (kappa %.3f)" % kappa["exchanged"]))
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


def _exchanged(trials: Trials) -> World:
    """The labels of every class but those of test pixels replaced by those of another class.

    The exchange is a rotation of the classes, that one by which the base's own errors agree least with true labels.
    """
    truth, split = trials.world.truth, trials.draw.split
    used = np.setdiff1d(np.flatnonzero(truth), hidden_test_pixels(truth, split))
    classes = np.unique(truth.ravel()[used])
    test, predicted = truth.ravel()[split.test], trials.base.prediction.ravel()[split.test]

    def rotated(by: int) -> np.ndarray:
        others = np.arange(256)
        others[classes] = np.roll(classes, by)
        return others

    by = min(range(1, max(len(classes), 2)), key=lambda by: float(np.mean(rotated(by)[predicted] == test)))
    return trials.world._replace(truth=with_labels(truth, used, rotated(by)[truth.ravel()[used]]))


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
