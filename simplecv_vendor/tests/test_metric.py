"""Scores against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn import metrics

from simplecv.util import metric


@pytest.fixture
def labels():
    rs = np.random.RandomState(0)
    true = rs.randint(1, 6, 500)
    pred = np.where(rs.rand(500) < 0.7, true, rs.randint(1, 6, 500))
    return true, pred, torch.from_numpy(true), torch.from_numpy(pred)


def test_scores_equal_scikit_learns(labels):
    true, pred, th_true, th_pred = labels
    matrix = metric.th_confusion_matrix(th_true, th_pred, 5)
    assert np.array_equal(matrix.numpy(), metrics.confusion_matrix(true, pred))
    overall = metric.th_overall_accuracy_score(th_true, th_pred)
    assert overall.item() == pytest.approx(metrics.accuracy_score(true, pred), abs=1e-12)
    average, recalls = metric.th_average_accuracy_score(th_true, th_pred, 5, return_accuracys=True)
    assert recalls.numpy() == pytest.approx(metrics.recall_score(true, pred, average=None), abs=1e-7)
    assert average.item() == pytest.approx(metrics.balanced_accuracy_score(true, pred), abs=1e-7)
    assert metric.th_average_accuracy_score(th_true, th_pred, 5).item() == average.item()
    kappa = metric.th_cohen_kappa_score(th_true, th_pred, 5)
    assert kappa.item() == pytest.approx(metrics.cohen_kappa_score(true, pred), abs=1e-12)


def test_intersection_over_union_is_the_corrected_one(labels):
    true, pred, th_true, th_pred = labels
    mean, ious = metric.th_intersection_over_union_score(th_true, th_pred, 5, return_ious=True)
    expected = metrics.jaccard_score(true, pred, average=None)
    assert ious.numpy() == pytest.approx(expected, abs=1e-7)
    assert mean.item() == pytest.approx(expected.mean(), abs=1e-7)
    assert metric.th_intersection_over_union_score(th_true, th_pred, 5).item() == mean.item()


def test_absent_classes_and_other_dtypes(labels):
    _, _, th_true, th_pred = labels
    recalls = metric.th_average_accuracy_score(th_true, th_pred, 7, return_accuracys=True)[1]
    assert recalls[5:].tolist() == [0, 0]
    as_image = th_true.reshape(20, 25).to(torch.uint8), th_pred.float()
    assert torch.equal(metric.th_confusion_matrix(*as_image, 5), metric.th_confusion_matrix(th_true, th_pred, 5))


@pytest.mark.parametrize("true, pred, sentence", [([0, 1], [1, 1], "true labels.*1..2"), ([1, 1], [1, 3], "predicted")])
def test_labels_outside_the_classes_are_errors(true, pred, sentence):
    with pytest.raises(ValueError, match=sentence):
        metric.th_confusion_matrix(torch.tensor(true), torch.tensor(pred), 2)
    with pytest.raises(ValueError, match="2 true labels but 1 predictions"):
        metric.th_confusion_matrix(torch.tensor([1, 1]), torch.tensor([1]), 2)
