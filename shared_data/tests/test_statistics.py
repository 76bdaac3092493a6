"""Intervals and tests, against scipy's, numbers worked by hand, and what they promise over many draws."""

import math

import numpy as np
import pytest
from scipy import stats

from shared_data.evaluation.statistics import (
    confidence_interval,
    holm,
    mean_and_std,
    welch_interval,
)


def test_mean_and_std():
    assert mean_and_std([0.95, 0.96, 0.97]) == (pytest.approx(0.96), pytest.approx(0.01))
    assert mean_and_std([0.95]) == (0.95, None)


# intervals


def test_interval_of_three_values_by_the_table_of_student():
    # t(0.975, 2) = 4.303 and t(0.95, 2) = 2.920 in every table; the standard error is 0.01/√3
    for level, t in ((0.95, 4.303), (0.9, 2.920)):
        low, high = confidence_interval([0.95, 0.96, 0.97], level)
        assert (low, high) == (pytest.approx(0.96 - t * 0.01 / 3**0.5, abs=1e-5),
                               pytest.approx(0.96 + t * 0.01 / 3**0.5, abs=1e-5))  # fmt: skip


def test_interval_of_few_values_and_of_equal_ones():
    assert confidence_interval([0.9]) is None and confidence_interval([0.9, 0.91]) is None
    assert confidence_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


@pytest.mark.parametrize("n", [3, 10])
def test_the_interval_holds_the_mean_as_often_as_it_says(n):
    draws = np.random.RandomState(0).normal(0.9, 0.02, (2000, n))
    covered = np.mean([low <= 0.9 <= high for low, high in map(confidence_interval, draws)])
    assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 2000))


# Welch


def test_the_interval_of_a_difference_holds_what_scipys_test_does_not_reject():
    random = np.random.RandomState(1)
    for _ in range(20):
        a, b = random.normal(0, 1, 5), random.normal(1, 3, 9)
        low, high = welch_interval(a.mean(), a.std(ddof=1), 5, b.mean(), b.std(ddof=1), 9, level=0.9)
        for end in (low, high):  # as a true difference, either end has p = 1 - 0.9
            assert stats.ttest_ind(a - end, b, equal_var=False).pvalue == pytest.approx(0.1)
        assert low < a.mean() - b.mean() < high


def test_the_interval_of_a_difference_by_hand():
    # SE = √(4/8 + 16/8) = 1.5811; ν = 2.5²/(0.5²/7 + 2²/7) = 10.294, where t(0.95) is 1.8083
    low, high = welch_interval(20, 2, 8, 22, 4, 8)
    assert (low, high) == (pytest.approx(-2 - 2.8592, abs=2e-3), pytest.approx(-2 + 2.8592, abs=2e-3))


def test_many_differences_at_once_and_without_any_spread():
    low, high = welch_interval(np.array([0.9, 20]), np.array([0, 2]), 8, np.array([0.8, 22]), np.array([0, 4]), 8)
    assert low == pytest.approx([0.1, welch_interval(20, 2, 8, 22, 4, 8)[0]])
    assert high == pytest.approx([0.1, welch_interval(20, 2, 8, 22, 4, 8)[1]])
    # where one side has no spread, the interval is Student's of the other
    low, high = welch_interval(0.96, 0.01, 3, 0.9, 0.0, 5)
    assert (low, high) == pytest.approx([end - 0.9 for end in confidence_interval([0.95, 0.96, 0.97], 0.9)])


@pytest.mark.parametrize("n_a, n_b, ratio", [(3, 5, 1), (5, 5, 3), (3, 10, 0.3)])
def test_the_interval_holds_the_difference_about_as_often_as_it_says(n_a, n_b, ratio):
    random = np.random.RandomState(2)
    a, b = random.normal(2, 1, (20000, n_a)), random.normal(1, ratio, (20000, n_b))
    low, high = welch_interval(a.mean(axis=1), a.std(axis=1, ddof=1), n_a, b.mean(axis=1), b.std(axis=1, ddof=1), n_b)
    assert np.mean((low <= 1) & (high >= 1)) == pytest.approx(0.9, abs=0.015)


# many pairs


def test_holm_by_hand():
    # 4·0.005, then 3·0.01, then 2·0.03; 0.04 may not fall below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2] and holm([]) == []


def test_holm_lies_between_no_correction_and_bonferroni():
    p = np.random.RandomState(4).random_sample(20) ** 3
    adjusted = np.array(holm(p))
    assert (adjusted >= p).all() and (adjusted <= np.minimum(20 * p, 1)).all()
    assert (np.diff(adjusted[p.argsort()]) >= 0).all()
