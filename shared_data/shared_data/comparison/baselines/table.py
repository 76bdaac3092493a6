"""All baselines: what they classify a pixel by, and with which classifier."""

from collections import OrderedDict
from typing import NamedTuple

from shared_data.comparison.baselines.classifiers import FOREST, LOGISTIC, NEAREST, SVM, Classifier
from shared_data.comparison.baselines.features import MEAN_5X5, POSITION, SPECTRUM, Features


class Baseline(NamedTuple):
    """One baseline."""

    features: Features
    classifier: Classifier


BASELINES = OrderedDict(
    [
        ("svm", Baseline(SPECTRUM, SVM)),
        ("rf", Baseline(SPECTRUM, FOREST)),
        ("lr", Baseline(SPECTRUM, LOGISTIC)),
        ("1nn", Baseline(SPECTRUM, NEAREST)),
        ("svm-5x5", Baseline(MEAN_5X5, SVM)),
        ("rf-5x5", Baseline(MEAN_5X5, FOREST)),
        ("lr-5x5", Baseline(MEAN_5X5, LOGISTIC)),
        ("1nn-5x5", Baseline(MEAN_5X5, NEAREST)),
        ("1nn-position", Baseline(POSITION, NEAREST)),
    ]
)
