"""Accuracies: scikit-learn's values, and the cases in which scikit-learn has none."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    precision_score,
    recall_score,
)

from shared_data.evaluation.metrics import class_accuracies, disagreement, evaluate


def random_labels(seed):
    """Truth and a prediction that agrees with it now and then; number of classes and pixels by chance."""
    random = np.random.RandomState(seed)
    num_classes, pixels = random.randint(2, 17), random.randint(1, 400)
    truth = random.randint(1, num_classes + 1, pixels).astype(np.uint8)
    guess = random.randint(1, num_classes + 1, pixels)
    return truth, np.where(random.random_sample(pixels) < random.random_sample(), truth, guess), num_classes


@pytest.mark.parametrize("seed", range(20))
def test_values_are_those_of_scikit_learn(seed):
    truth, prediction, num_classes = random_labels(seed)
    metrics = evaluate(truth, prediction, num_classes)
    assert metrics.oa == pytest.approx(accuracy_score(truth, prediction))
    assert metrics.kappa == pytest.approx(cohen_kappa_score(truth, prediction))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that truth lacks
        assert metrics.aa == pytest.approx(balanced_accuracy_score(truth, prediction))
        recall = recall_score(truth, prediction, labels=range(1, num_classes + 1), average=None)
    for label, (ours, theirs) in enumerate(zip(metrics.per_class, recall), start=1):
        assert ours == (pytest.approx(theirs) if label in truth else None)
    assert np.sum(metrics.confusion) == truth.size


@pytest.mark.parametrize("seed", range(5))
def test_producers_accuracy_is_recall_and_users_accuracy_precision(seed):
    truth, prediction, num_classes = random_labels(seed)
    metrics = evaluate(truth, prediction, num_classes)
    found = class_accuracies(metrics.confusion)
    assert found.producers == metrics.per_class
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are never predicted
        precision = precision_score(truth, prediction, labels=range(1, num_classes + 1), average=None)
    for label, (ours, theirs) in enumerate(zip(found.users, precision), start=1):
        assert ours == (pytest.approx(theirs) if label in prediction else None)


def test_disagreement_by_hand():
    # only places are wrong; then only totals; then the example of 2 and 1 of 10 pixels
    assert disagreement([[3, 2], [2, 3]]) == (pytest.approx(0), pytest.approx(0.4))
    assert disagreement([[5, 0], [4, 1]]) == (pytest.approx(0.4), pytest.approx(0))
    assert disagreement([[4, 1], [2, 3]]) == (pytest.approx(0.1), pytest.approx(0.2))


@pytest.mark.parametrize("seed", range(5))
def test_quantity_and_allocation_disagreement_add_up_to_the_wrong_share(seed):
    metrics = evaluate(*random_labels(seed))
    assert sum(disagreement(metrics.confusion)) == pytest.approx(1 - metrics.oa)


def test_confusion_counts_truth_by_row():
    metrics = evaluate(np.array([1, 1, 2, 3]), np.array([1, 2, 2, 2]), 3)
    assert metrics.confusion == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert metrics.per_class == [0.5, 1.0, 0.0]


def test_an_absent_class_has_no_recall_and_does_not_enter_the_average():
    metrics = evaluate(np.array([1, 1, 3, 3]), np.array([1, 2, 3, 3]), 4)
    assert metrics.per_class == [0.5, None, 1.0, None]
    assert metrics.aa == 0.75


def test_one_class_alone():
    assert evaluate(np.array([2, 2]), np.array([2, 2]), 3)[:3] == (1.0, 1.0, 1.0)
    assert evaluate(np.array([2, 2]), np.array([3, 3]), 3)[:3] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "truth, prediction, complaint",
    [
        ([1, 0], [1, 1], "truth holds the class 0, outside 1..2"),
        ([1, 2], [1, 3], "prediction holds the class 3, outside 1..2"),
        ([1, 2, 1], [1, 2], "truth has 3 pixels, the prediction 2"),
        ([], [], "no pixel to evaluate"),
    ],
)
def test_input_that_cannot_be_evaluated(truth, prediction, complaint):
    with pytest.raises(ValueError, match=complaint):
        evaluate(np.array(truth, int), np.array(prediction, int), 2)
