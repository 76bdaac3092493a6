"""Two equally good methods whose errors lie in patches: a test of fields keeps its level, one of pixels not."""

import numpy as np
import pytest

from tools.field_simulation import ACCURACY, LEVEL, rates, real_truth, right_by_field, right_pixels

pytestmark = pytest.mark.stack_independent

TRIALS = 300
SLACK = 3 * (LEVEL * (1 - LEVEL) / TRIALS) ** 0.5  # three standard deviations of a rate of 5 %


@pytest.fixture(scope="module")
def truth():
    """The classes of Indian Pines."""
    found = real_truth()
    if found is None:
        pytest.skip("the ground truth of Indian Pines is in none of the data folders")
    return found


def test_simulated_methods_are_right_as_often_as_stated_and_err_in_patches():
    random = np.random.RandomState(0)
    right = np.array([right_pixels(random, (60, 50), 2) for _ in range(100)])
    assert right.mean() == pytest.approx(ACCURACY, abs=0.02)
    assert (right[:, 1:] == right[:, :-1]).mean() > 0.85 > 0.58 + 0.1  # independent pixels: 0.7² + 0.3² = 0.58


def test_patches_end_at_fields():
    random, halves = np.random.RandomState(0), np.repeat([1, 2], 10)[:, None] * np.ones(20, int)
    right = np.array([right_by_field(random, halves, 2) for _ in range(300)])
    agree = (right[:, 1:] == right[:, :-1]).mean(axis=(0, 2))
    assert agree[9] == pytest.approx(0.58, abs=0.05) and np.delete(agree, 9).min() > 0.8


def test_small_patches(truth):
    by_field, by_pixel, missed = rates(truth, 1, TRIALS, across=True)
    assert by_field < LEVEL + SLACK and by_pixel > 5 * LEVEL and LEVEL - SLACK < missed < 3 * LEVEL


@pytest.mark.slow
def test_large_patches_within_fields(truth):
    by_field, by_pixel, missed = rates(truth, 3, TRIALS, across=False)
    assert by_field == pytest.approx(LEVEL, abs=SLACK) and by_pixel > 10 * LEVEL and LEVEL < missed < 3 * LEVEL


@pytest.mark.slow
def test_patches_over_several_fields_are_too_much_for_either_but_less_for_fields(truth):
    by_field, by_pixel, _ = rates(truth, 3, TRIALS, across=True)
    assert LEVEL - SLACK < by_field < 3 * LEVEL and by_pixel > 5 * by_field
