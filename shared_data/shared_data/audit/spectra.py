"""Do spectra of test pixels shape what is learnt, and does a prediction depend on pixels outside of its input?

`fitted`: statistics or examples of the loss come from them. `seen`: they lie in the surroundings of training pixels, as
in the patches of most networks, and in the whole scene of those that take it as one image.
"""

import contextlib
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from shared_data.audit.alterations import alter_spectra
from shared_data.audit.finding import FITTED, NOT_AUDITED, NOT_DETERMINISTIC, SEEN, Finding, Value, found
from shared_data.audit.pixels import hidden_test_pixels
from shared_data.audit.trials import PREDICTION, SELECTION, TRAINING, Trial, Trials, World
from shared_data.errors import SharedDataError
from shared_data.splits.disjoint import distance_to
from shared_data.splits.draws import mask_of

_SEED = 0
_FAR = "with the spectra of %d test pixels altered, none in the receptive field of a training pixel, "
_CORNERS = (2, 4, 8, 16)  # parts of the scene's sides, or of the training pixels


def altered_for_prediction(trials: Trials) -> Tuple[Optional[np.ndarray], np.ndarray]:
    """A cube with other spectra of the test pixels in a corner, or of a single one, and the (H, W) bool map of all
    pixels whose input holds none of them. The cube is None where that leaves no test pixel."""
    truth, test = trials.world.truth, hidden_test_pixels(trials.world.truth, trials.draw.split)
    rows, columns = np.unravel_index(test, truth.shape)
    sides = [[max(side // part, 1) for side in truth.shape] for part in _CORNERS]
    corners = [test[(rows < rows.min() + height) & (columns < columns.min() + width)] for height, width in sides]
    for corner in corners + [test[:1]]:
        if corner.size:
            free = ~trials.receptive_field(mask_of(corner, truth.shape))
            if free.ravel()[test].any():
                return alter_spectra(trials.world.cube, corner, _SEED), free
    return None, np.zeros(truth.shape, bool)


def spectra_finding(trials: Trials, free: np.ndarray, label_stages: Sequence[str]) -> Finding:
    """The item `test_spectra`.

    free: as `altered_for_prediction` gives it, for the base's further prediction. label_stages: the stages that use
    test labels; where they select, weights depend on test spectra too, and that alone is no finding about spectra.
    """
    base, test = trials.base, hidden_test_pixels(trials.world.truth, trials.draw.split)
    numbers: Dict[str, Value] = {"test_spectra_changed": int(test.size)}
    split = trials.draw.split
    far = _far_from(trials, np.concatenate([split.train, split.val]), test)
    trial = trials.train(_altered(trials, test))
    learnt = (trial.last, trial.used) != (base.last, base.used)
    preprocessed = _fitted_preprocessing(trials, test, far)
    trained = _fitted_weights(trials, far) if far.size and learnt and not preprocessed else []
    predicted = _at_prediction(trials, test, trial, free, learnt)
    if (learnt or preprocessed or predicted) and not trials.repeats:
        sentence = "nothing can be told: two trainings on the same scene give different results"
        return Finding("test_spectra", NOT_DETERMINISTIC, sentence, numbers, (NOT_DETERMINISTIC,))
    by_labels = set(label_stages) & {SELECTION, PREDICTION} and TRAINING not in label_stages
    fitted = preprocessed + ([] if by_labels else trained + predicted)
    changed = "with the spectra of %d test pixels altered " % test.size
    if fitted:
        return found("test_spectra", (FITTED,), "; ".join(fitted), numbers, base.steps)
    if by_labels and (learnt or predicted):
        evidence = changed + "the result differs, as it must where test labels select or predict; nothing else is told"
        return Finding("test_spectra", NOT_AUDITED, evidence, numbers)
    if learnt:
        evidence = changed + "the weights differ, because these pixels lie in the receptive fields of training pixels; "
        evidence += "no preprocessing is fitted on them"
        return found("test_spectra", (SEEN,), evidence, numbers, base.steps)
    evidence = changed + "weights and training inputs are the same"
    if not base.further:
        evidence += "; every prediction depends on the whole scene, so nothing is told about predicting"
    return found("test_spectra", (), evidence, numbers, base.steps)


def _altered(trials: Trials, pixels: np.ndarray) -> World:
    return trials.world._replace(cube=alter_spectra(trials.world.cube, pixels, _SEED))


def _far_from(trials: Trials, used: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The test pixels farther from every used pixel than the receptive field extends."""
    shape = trials.world.truth.shape
    distance = distance_to(used, shape)
    field = trials.receptive_field(mask_of(used, shape))
    extent = int(distance[field].max()) if field.any() else 0
    return test[distance.ravel()[test] > extent]


def _fitted_preprocessing(trials: Trials, test: np.ndarray, far: np.ndarray) -> List[str]:
    """Clauses of evidence that preprocessing is fitted on spectra of test pixels, from the inputs of training pixels.

    Those of `far` are altered, or, where there are none, those of all test pixels. Where inputs then hold surroundings,
    as those of spatial filters do, only training pixels in a corner of the scene are taken, so that some are far.
    """
    world, train = trials.world, trials.draw.split.train
    if far.size:
        return _other_inputs(trials, world, far, train, _FAR % far.size)
    model = trials.preprocessed(world)
    inputs = (trials.inputs(model, each.cube, train) for each in (world, _altered(trials, test)))
    if _same(*inputs):
        return _other_inputs(trials, world, test, train, "with the spectra of all test pixels altered, ")
    rows, columns = np.unravel_index(train, world.truth.shape)
    by_corner = train[np.argsort(np.maximum(rows, columns), kind="stable")]
    for part in _CORNERS:
        kept = by_corner[: len(train) // part]
        far = _far_from(trials, kept, test) if kept.size else test[:0]
        if far.size:
            draw = world.draw._replace(split=world.draw.split._replace(train=kept, val=kept[:0]))
            where = "where the %d training pixels in a corner are taken alone, " % kept.size + _FAR % far.size
            with contextlib.suppress(SharedDataError):  # too few pixels for the method
                return _other_inputs(trials, world._replace(draw=draw), far, kept, where)
    return []


def _other_inputs(trials: Trials, world: World, altered: np.ndarray, pixels: np.ndarray, where: str) -> List[str]:
    """The inputs are taken of the true cube, so that only what is fitted differs."""
    other = world._replace(cube=alter_spectra(world.cube, altered, _SEED))
    before, after = (trials.inputs(trials.preprocessed(each), world.cube, pixels) for each in (world, other))
    if _same(before, after):
        return []
    clause = "preprocessing gives training pixels other inputs (up to %.3g of the largest)"
    return [where + clause % _relative_change(before, after)]


def _fitted_weights(trials: Trials, far: np.ndarray) -> List[str]:
    """The same of the weights, where no receptive field explains it."""
    trial = trials.train(_altered(trials, far), predict=False)
    same = (trial.last, trial.used) == (trials.base.last, trials.base.used)
    return [] if same else [_FAR % far.size + "the weights differ"]


def _at_prediction(trials: Trials, test: np.ndarray, trial: Trial, free: np.ndarray, learnt: bool) -> List[str]:
    """The same while predicting: by the trained base, and by a training that differs in nothing else."""
    base = trials.base
    differs = bool(base.further) and not np.array_equal(base.further[0][free], base.prediction[free])
    if not learnt and not differs:
        outside = ~trials.receptive_field(mask_of(test, trials.world.truth.shape))
        differs = not np.array_equal(trial.prediction[outside], base.prediction[outside])
    clause = "a prediction changes with spectra of test pixels outside of its receptive field"
    return [clause] if differs else []


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal in type, shape and every value; NaN equals NaN."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return bool(np.all((one == other) | ((one != one) & (other != other))))


def _relative_change(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of finite values, as a share of the largest magnitude in `one` (1 where that is 0)."""
    if one.shape != other.shape:
        return float("inf")
    one, other = one.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(one) & np.isfinite(other)
    if not finite.any():
        return 0.0
    return float(np.abs(one - other)[finite].max() / (np.abs(one[finite]).max() or 1.0))
