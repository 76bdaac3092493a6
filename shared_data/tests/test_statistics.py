"""Intervals and tests, against scipy's, numbers worked by hand, and what they promise over many draws."""

import math

import numpy as np
import pytest
from scipy import stats

from shared_data.statistics import confidence_interval, discordant, holm, mcnemar, mcnemar_of, mean_and_std, welch


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


def test_interval_of_a_single_value_and_of_equal_ones():
    assert confidence_interval([0.9]) is None
    assert confidence_interval([0.5, 0.5]) == (0.5, 0.5)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_interval_holds_the_mean_as_often_as_it_says(n):
    draws = np.random.RandomState(0).normal(0.9, 0.02, (2000, n))
    covered = np.mean([low <= 0.9 <= high for low, high in map(confidence_interval, draws)])
    assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 2000))


# Welch


def test_welch_is_scipys_test_of_the_samples():
    random = np.random.RandomState(1)
    a, b = random.normal(0, 1, 5), random.normal(1, 3, 9)
    p = welch(a.mean(), a.std(ddof=1), 5, b.mean(), b.std(ddof=1), 9)
    assert p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert p == pytest.approx(welch(b.mean(), b.std(ddof=1), 9, a.mean(), a.std(ddof=1), 5))


def test_welch_by_hand():
    # t = (20 - 22)/√(4/8 + 16/8) = -1.2649; ν = 2.5²/(0.5²/7 + 2²/7) = 10.294
    assert welch(20, 2, 8, 22, 4, 8) == pytest.approx(2 * stats.t.cdf(-1.26491, 10.29412), rel=1e-4)


@pytest.mark.parametrize("arguments", [(1, None, 3, 1, 0.1, 3), (1, 0.1, 3, 1, None, 1), (1, 0.1, 3, 1, 0.1, 1)])
def test_welch_needs_a_spread_on_both_sides(arguments):
    assert welch(*arguments) is None


def test_welch_without_any_spread():
    assert welch(0.9, 0.0, 3, 0.9, 0.0, 3) == 1.0
    assert welch(0.9, 0.0, 3, 0.8, 0.0, 3) == 0.0


def test_welch_rejects_equal_means_as_often_as_the_level_says():
    random = np.random.RandomState(2)
    a, b = random.normal(0, 1, (2000, 5)), random.normal(0, 3, (2000, 5))
    p = [welch(x.mean(), x.std(ddof=1), 5, y.mean(), y.std(ddof=1), 5) for x, y in zip(a, b)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)


# McNemar


@pytest.mark.parametrize(
    "only_a, only_b, expected",
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 6, 2 / 64),  # 2·P(X ≤ 0), X ~ B(6, ½)
        (1, 6, 16 / 128),  # 2·(1 + 7)/2^7
        (3, 21, 2 * (1 + 24 + 276 + 2024) / 2**24),  # 24 pairs: exact
        (50, 50, 1.0),
    ],
)
def test_mcnemar_of_few_pairs_is_exact(only_a, only_b, expected):
    assert mcnemar(only_a, only_b) == mcnemar(only_b, only_a) == pytest.approx(expected)


def test_mcnemar_of_many_pairs_is_the_corrected_chi_square():
    # the textbook table of a drug's 101, 121, 59, 33 cases: (121 - 59 - 1)²/180 = 20.672
    assert mcnemar(121, 59) == pytest.approx(stats.chi2.sf(20.67222, 1), rel=1e-4)
    # at 25 pairs the two ways meet closely
    assert mcnemar(7, 18) == pytest.approx(stats.chi2.sf(100 / 25, 1))
    assert mcnemar(7, 18) == pytest.approx(2 * stats.binom.cdf(7, 25, 0.5), abs=0.005)


def test_mcnemar_rejects_equal_classifiers_no_more_often_than_the_level_says():
    wins = np.random.RandomState(3).binomial(200, 0.5, 2000)
    rejected = np.mean([mcnemar(int(w), int(200 - w)) < 0.05 for w in wins])
    assert 0.02 < rejected < 0.06


def test_mcnemar_of_predictions_counts_the_pixels_where_just_one_errs():
    truth = np.array([1, 1, 2, 2, 3, 3, 3])
    a = np.array([1, 1, 2, 2, 3, 1, 1])
    b = np.array([2, 2, 1, 1, 3, 2, 3])
    assert discordant(a == truth, b == truth) == (4, 1)
    assert mcnemar_of(truth, a, b) == mcnemar(4, 1) == pytest.approx(2 * 6 / 32)
    with pytest.raises(ValueError, match=r"shapes \(7,\), \(6,\)"):
        mcnemar_of(truth, a[:6], b)


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
