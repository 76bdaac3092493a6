"""The network's inputs: do test spectra shape those of training, and do those of test pixels hold training pixels?"""

from typing import Any, Callable, Dict, Optional

import numpy as np

from shared_data.audit.changes import alter_spectra, hidden_pixels
from shared_data.audit.finding import CLEAN, LEAKS, NONE, NOT_AUDITED, NOT_DETERMINISTIC, OVERLAPS, Finding, Value
from shared_data.splits.draws import Split

InputsFn = Callable[[np.ndarray, Split], np.ndarray]
ReceptiveFieldFn = Callable[[np.ndarray], np.ndarray]


def preprocessing_finding(inputs: Optional[InputsFn], scene: Any, split: Split, seed: int) -> Finding:
    """The item `preprocessing`: the inputs at the training pixels with the spectra of all hidden pixels altered."""
    if inputs is None:
        return Finding("preprocessing", NOT_AUDITED, "no function was given that says what the training inputs are")
    hidden = hidden_pixels(scene.ground_truth, split)
    if not hidden.size:
        return Finding("preprocessing", NOT_AUDITED, "no test pixel neither trains nor validates")

    def given(cube: np.ndarray) -> np.ndarray:
        return np.array(inputs(cube, _copied(split)))

    one = given(scene.cube.astype(np.float32))
    other = given(alter_spectra(scene.cube, hidden, seed))
    altered = "with the spectra of %d test pixels altered" % hidden.size
    if _same(one, other):
        evidence = "no test spectrum shapes the training inputs: %s all %d values are the same" % (altered, one.size)
        return Finding("preprocessing", CLEAN, evidence)
    if not _same(one, given(scene.cube.astype(np.float32))):
        evidence = "nothing can be told: the training inputs differ when they are made twice from the same scene"
        return Finding("preprocessing", NOT_DETERMINISTIC, evidence)
    if one.shape != other.shape:
        evidence = "test spectra shape the training inputs: %s their shape is %s instead of %s"
        return Finding("preprocessing", LEAKS, evidence % (altered, other.shape, one.shape))
    change = _relative_change(one, other)
    evidence = "test spectra shape the training inputs: %s they change by up to %.3g of their largest magnitude"
    return Finding(
        "preprocessing", LEAKS, evidence % (altered, change), {"preprocessing_largest_relative_change": change}
    )


def overlap_finding(
    receptive_field: Optional[ReceptiveFieldFn],
    ground_truth: np.ndarray,
    split: Split,
    prediction: Optional[np.ndarray],
    origin: str,
) -> Finding:
    """The item `overlap`: test pixels whose input holds a training pixel, and the accuracy with and without one.

    prediction: (H, W) classes 1..K, or None; origin: which training made it, in words, for the evidence.
    """
    if receptive_field is None:
        return Finding("overlap", NOT_AUDITED, "no function was given that says which pixels an input holds")
    if not split.test.size:
        return Finding("overlap", NOT_AUDITED, "there is no test pixel")
    trains = np.zeros(ground_truth.shape, bool)
    trains[np.unravel_index(split.train, trains.shape)] = True
    seeing = _map_of(receptive_field(trains), trains.shape, "receptive_field_fn").astype(bool).ravel()[split.test]
    share = float(seeing.mean())
    numbers: Dict[str, Value] = {
        "overlap_share": share,
        "overlap_seeing": int(seeing.sum()),
        "overlap_not_seeing": int((~seeing).sum()),
    }
    evidence = "the input of %d of %d test pixels (%.2f %%) holds a training pixel" % (
        seeing.sum(), seeing.size, 100 * share,
    )  # fmt: skip
    if prediction is None:
        evidence += "; there is no prediction to tell the accuracies apart"
    else:
        predicted = _map_of(prediction, trains.shape, "the prediction").ravel()[split.test]
        correct = predicted == ground_truth.ravel()[split.test]
        accuracies = []
        numbers["overlap_oa_of"] = origin
        for name, group, words in (("seeing", seeing, "see one"), ("not_seeing", ~seeing, "see none")):
            if group.any():
                accuracy = numbers["oa_" + name] = float(correct[group].mean())
                accuracies.append("%.2f %% of the %d that %s" % (100 * accuracy, group.sum(), words))
        evidence += "; OA of the %s: %s" % (origin, ", ".join(accuracies))
    return Finding("overlap", OVERLAPS if seeing.any() else NONE, evidence, numbers)


def _copied(split: Split) -> Split:
    return Split(*(np.array(part) for part in split))


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal in type, shape and every value; NaN equals NaN."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return bool(np.all((one == other) | ((one != one) & (other != other))))


def _relative_change(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of finite values, as a share of the largest magnitude in `one` (1 where that is 0)."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(one) & np.isfinite(other)
    if not finite.any():
        return 0.0
    return float(np.abs(one - other)[finite].max() / (np.abs(one[finite]).max() or 1.0))


def _map_of(values: np.ndarray, shape: Any, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != shape:
        raise ValueError("%s has the shape %s, the scene %s" % (name, values.shape, shape))
    return values
