"""Accuracies as the release counts them."""

import numpy as np
import pytest
from sklearn.metrics import recall_score

from da_imrn.evaluation import accuracy_of_all_positions, accuracy_of_labelled, average_accuracy_plus_one


def test_unlabelled_positions_count_as_class_one():
    labels = np.array([[0, 0, 1], [2, 0, 3]])
    ones = np.ones_like(labels)
    assert accuracy_of_all_positions(ones, labels) == pytest.approx(4 / 6)
    assert accuracy_of_labelled(ones, labels) == pytest.approx(1 / 3)
    assert np.isnan(accuracy_of_labelled(ones, np.zeros_like(labels)))


def test_accuracy_of_all_positions_is_that_of_the_argmaxes():
    """As the release computes it: argmax of the prediction against argmax of a target with rows of zeros."""
    random = np.random.RandomState(0)
    probability, labels = random.rand(5, 4, 4, 7), random.randint(0, 8, (5, 4, 4))
    target = np.eye(8)[labels][..., 1:]
    expected = (probability.argmax(-1) == target.argmax(-1)).mean()
    assert accuracy_of_all_positions(probability.argmax(-1) + 1, labels) == pytest.approx(expected)


def test_average_accuracy_with_counters_that_begin_at_one():
    truth, classes = np.array([1, 1, 1, 2, 2, 4]), np.array([1, 1, 2, 2, 2, 4])
    assert average_accuracy_plus_one(truth, classes, 4) == pytest.approx((2 / 4 + 2 / 3 + 0 + 1 / 2) / 4)


def test_it_is_below_the_mean_recall():
    random = np.random.RandomState(0)
    truth = random.randint(1, 6, 400)
    classes = np.where(random.rand(400) < 0.8, truth, random.randint(1, 6, 400))
    recall = recall_score(truth, classes, average="macro")
    assert recall - 0.02 < average_accuracy_plus_one(truth, classes, 5) < recall
