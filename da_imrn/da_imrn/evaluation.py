"""Accuracies by the release's definitions, beside the usual ones."""

import numpy as np


def accuracy_of_all_positions(classes: np.ndarray, labels: np.ndarray) -> float:
    """Share of equal classes where an unlabelled position counts as class 1, as the release's monitored accuracy.

    classes: 1..K; labels: 0..K of the same shape. The release compares argmax of prediction and target; the target of
    an unlabelled position is a row of zeros, whose argmax is the first class.
    """
    return float((classes == np.maximum(labels, 1)).mean())


def accuracy_of_labelled(classes: np.ndarray, labels: np.ndarray) -> float:
    """Share of labelled positions with the right class; NaN where there is none."""
    labelled = labels > 0
    return float((classes[labelled] == labels[labelled]).mean()) if labelled.any() else float("nan")


ACCURACIES = {"all_positions": accuracy_of_all_positions, "labelled": accuracy_of_labelled}


def average_accuracy_plus_one(truth: np.ndarray, classes: np.ndarray, num_classes: int) -> float:
    """The release's AA: its counters of a class's pixels begin at one, so a class scores correct/(n + 1).

    truth, classes: (n) 1..K.
    """
    counts = np.bincount(truth, minlength=num_classes + 1)[1:]
    correct = np.bincount(truth[truth == classes], minlength=num_classes + 1)[1:]
    return float((correct / (counts + 1)).mean())
