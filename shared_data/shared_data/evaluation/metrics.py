"""Accuracies of a classification map on a set of pixels, by scikit-learn."""

from typing import Any, List, NamedTuple, Optional

import numpy as np
from sklearn.metrics import cohen_kappa_score, confusion_matrix


class Metrics(NamedTuple):
    """Fractions in 0..1 (kappa may be negative); `confusion[i][j]` counts pixels of class i+1 predicted as j+1."""

    oa: float
    aa: float
    kappa: float
    per_class: List[Optional[float]]
    confusion: List[List[int]]


class Disagreement(NamedTuple):
    """The share of wrong pixels in two parts (Pontius & Millones 2011), fractions that add up to 1 - OA.

    quantity: because the classes' predicted totals are not the true ones. allocation: because pixels are at wrong
    places although the totals agree.
    """

    quantity: float
    allocation: float


class ClassAccuracies(NamedTuple):
    """Per class a fraction, or None without a pixel.

    producers: of the pixels of a class, those predicted as it (recall). users: of the pixels predicted as a class,
    those that are of it (precision).
    """

    producers: List[Optional[float]]
    users: List[Optional[float]]


def disagreement(confusion: Any) -> Disagreement:
    """Of a confusion matrix (K, K), `[true][predicted]`, with at least one pixel."""
    table = np.asarray(confusion, float) / np.sum(confusion)
    quantity = float(np.abs(table.sum(axis=1) - table.sum(axis=0)).sum() / 2)
    # rounding must not make it negative
    return Disagreement(quantity, max(1 - float(np.trace(table)) - quantity, 0.0))


def class_accuracies(confusion: Any) -> ClassAccuracies:
    """Producer's and user's accuracies of a confusion matrix (K, K), `[true][predicted]`."""
    table = np.asarray(confusion, float)
    return ClassAccuracies(
        *(
            [float(hit / total) if total else None for hit, total in zip(np.diag(table), table.sum(axis=axis))]
            for axis in (1, 0)
        )
    )


def evaluate(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> Metrics:
    """Overall accuracy, average accuracy (mean recall), Cohen's kappa, recall per class and the confusion matrix.

    truth, prediction: integers 1..K of equal shape, one per evaluated pixel. A class without pixels in `truth` has
    the recall None and does not enter the average. Kappa is 1 where truth and prediction are one and the same class.
    Raises: ValueError for different shapes, no pixels, or a value outside 1..K.
    """
    truth, prediction = np.asarray(truth).ravel(), np.asarray(prediction).ravel()
    if truth.shape != prediction.shape:
        raise ValueError("truth has %d pixels, the prediction %d" % (truth.size, prediction.size))
    if truth.size == 0:
        raise ValueError("there is no pixel to evaluate")
    for name, values in (("truth", truth), ("prediction", prediction)):
        if values.min() < 1 or values.max() > num_classes:
            raise ValueError(
                "%s holds the class %d, outside 1..%d"
                % (name, values.min() if values.min() < 1 else values.max(), num_classes)
            )
    confusion = confusion_matrix(truth, prediction, labels=np.arange(1, num_classes + 1))
    counts = confusion.sum(axis=1)
    recall = np.diag(confusion) / np.maximum(counts, 1)
    only_one = np.unique(truth).size == 1 and np.array_equal(truth, prediction)
    return Metrics(
        oa=float(np.diag(confusion).sum() / truth.size),
        aa=float(recall[counts > 0].mean()),
        kappa=1.0 if only_one else float(cohen_kappa_score(truth, prediction)),
        per_class=[float(value) if count else None for value, count in zip(recall, counts)],
        confusion=confusion.tolist(),
    )
