"""On which pixels a baseline chooses among its candidates: the validation pixels, or parts of the training pixels."""

import warnings
from typing import Any, Callable, NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold

from shared_data.errors import SplitError

_PARTS = 5

Fit = Callable[[np.ndarray, np.ndarray], Any]  # features (n, F), classes (n) → a fitted estimator


class Criterion(NamedTuple):
    """How well a candidate does.

    name: of the accuracy in the history. described: for the record. accuracy: of a candidate, fitted to all training
    pixels, and its `Fit` for others; 0 to 1.
    """

    name: str
    described: str
    accuracy: Callable[[Any, Fit], float]


def on_validation(features: np.ndarray, classes: np.ndarray) -> Criterion:
    """Overall accuracy of the validation pixels. features: (n, F); classes: (n)."""
    return Criterion(
        "val_oa",
        "overall accuracy of %d validation pixels" % len(classes),
        lambda estimator, _fit: float(np.mean(estimator.predict(features) == classes)),
    )


def by_cross_validation(features: np.ndarray, classes: np.ndarray, seed: int) -> Criterion:
    """Overall accuracy of the training pixels: those of each part, predicted from the other parts.

    features: (n, F); classes: (n). Every class is spread evenly over the parts.
    Raises: SplitError where there are no two classes with two training pixels each.
    """
    counts = np.bincount(classes)
    if (counts >= 2).sum() < 2:
        raise SplitError(
            "the split has neither validation pixels nor two classes with two training pixels each, so that there is "
            "nothing to choose parameters on; draw more training pixels."
        )
    folds = StratifiedKFold(min(_PARTS, int(counts.max())), shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class of fewer pixels than parts is missing from some of them
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = list(folds.split(features, classes))

    def accuracy(_estimator: Any, fit: Fit) -> float:
        right = sum(
            int((fit(features[others], classes[others]).predict(features[part]) == classes[part]).sum())
            for others, part in parts
        )
        return right / len(classes)

    described = "cross-validated overall accuracy of %d training pixels in %d parts; there are no validation pixels"
    return Criterion("cv_oa", described % (len(classes), len(parts)), accuracy)
