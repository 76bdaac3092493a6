"""Test labels are sealed: training gets those of its own pixels, and a record tells every opening."""

from functools import partial

import numpy as np
import pytest
import toy_method
from toy_method import METHOD

from shared_data.errors import SealedError
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import Split
from shared_data.splits.labels import SealedTruth, labels_of

pytestmark = pytest.mark.stack_independent

TRUTH = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
SPLIT = Split(np.array([4, 1]), np.array([2]), np.array([3]))


def request_into(folder):
    return Request("synthetic", "paper", 1, None, False, "cpu", None, (), folder, False)


def disclosing(fit):
    return METHOD._replace(fit=fit, resolve=partial(toy_method.resolve, discloses=True))


def test_training_gets_the_labels_of_its_pixels_and_no_others():
    labels = labels_of(TRUTH, SPLIT)
    np.testing.assert_array_equal(labels.train, [[0, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(labels.val, [[0, 0, 2], [0, 0, 0]])
    np.testing.assert_array_equal(labels.train_pixels, [4, 1])  # as drawn
    assert labels.truth is None
    with pytest.raises(SealedError, match="a test asks for test labels \\(curiosity\\)"):
        labels.open_truth("a test", "curiosity")


def test_an_envelope_keeps_who_opened_it_when_and_why():
    truth = SealedTruth(TRUTH, SPLIT)
    labels = labels_of(TRUTH, SPLIT, truth)
    assert truth.openings == []
    opened = labels.open_truth("ssdgl.train", "the loss of the release")
    np.testing.assert_array_equal(opened.labels, TRUTH)
    np.testing.assert_array_equal(opened.test, SPLIT.test)
    with pytest.raises(ValueError):
        opened.labels[0, 0] = 1
    truth.training_is_over()
    truth.open("the caller", "final evaluation")
    assert [(entry["by"], entry["reason"], entry["while"]) for entry in truth.openings] == [
        ("ssdgl.train", "the loss of the release", "training"), ("the caller", "final evaluation", "evaluation"),
    ]  # fmt: skip


def test_a_run_shows_one_opening(tmp_path):
    (opening,) = reproduce(METHOD, request_into(tmp_path)).record["truth_opened"]
    assert (opening["by"], opening["reason"]) == ("shared_data.runs.reproduce", "final evaluation")


def test_a_run_whose_protocol_discloses_shows_that_too(tmp_path):
    def fit(image, labels, configuration, seed, run, steps=None):
        labels.open_truth("toy", "early stopping, as in the release")
        return toy_method.fit(image, labels, configuration, seed, run, steps)

    openings = reproduce(disclosing(fit), request_into(tmp_path)).record["truth_opened"]
    assert [(entry["by"], entry["while"]) for entry in openings] == [
        ("toy", "training"), ("shared_data.runs.reproduce", "evaluation"),
    ]  # fmt: skip


def test_a_method_that_asks_for_more_than_its_protocol_discloses_fails_and_leaves_nothing_finished(tmp_path):
    def curious(image, labels, configuration, seed, run, steps=None):
        labels.open_truth("toy", "early stopping")
        return toy_method.fit(image, labels, configuration, seed, run, steps)

    with pytest.raises(SealedError, match="they are sealed until training is over"):
        reproduce(METHOD._replace(fit=curious), request_into(tmp_path))
    assert not list(tmp_path.glob("**/run.json")) and not list(tmp_path.glob("**/settings.json"))


def test_fit_is_given_no_label_of_a_test_pixel(tmp_path):
    given = []

    def fit(image, labels, configuration, seed, run, steps=None):
        given.append((image, labels))
        return toy_method.fit(image, labels, configuration, seed, run, steps)

    reproduce(METHOD._replace(fit=fit), request_into(tmp_path))
    ((image, labels),) = given
    loaded = load_scene("synthetic")
    test = toy_method.draw(loaded, None, 1).split.test
    assert image._fields == ("scene", "cube", "valid")
    assert not labels.train.ravel()[test].any() and not labels.val.ravel()[test].any()
    assert loaded.ground_truth.ravel()[test].all()


def test_the_opened_truth_cannot_change_the_prediction(tmp_path):
    """A method sees the truth after it has predicted; what it predicted is a copy by then."""

    class Late(toy_method.MostFrequent):
        def predict(self, image, tile=0):
            self.predicted = toy_method.MostFrequent.predict(self, image, tile)
            return self.predicted

        def report_further(self, image, truth, prediction):
            self.predicted[:] = truth.labels
            with pytest.raises(ValueError, match="read-only"):
                prediction[:] = truth.labels
            return toy_method.MostFrequent.report_further(self, image, truth, prediction)

    def fit(*given, **named):
        fitted = toy_method.fit(*given, **named)
        return Late(fitted.model, fitted.winner, fitted.report)

    honest = reproduce(METHOD, request_into(tmp_path / "honest")).record
    late = reproduce(METHOD._replace(fit=fit), request_into(tmp_path / "late")).record
    assert late["metrics"] == honest["metrics"]
