"""The statistics of a comparison: means with intervals, Welch's test of two means, McNemar's of two predictions."""

import math
from typing import List, Optional, Sequence, Tuple

import numpy as np
from scipy import stats

_FEW = 25  # discordant pairs below which McNemar's test is exact


def mean_and_std(values: Sequence[float]) -> Tuple[float, Optional[float]]:
    """Mean and sample standard deviation (None for a single value)."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def confidence_interval(values: Sequence[float], level: float = 0.95) -> Optional[Tuple[float, float]]:
    """Student's t interval of the mean; None for a single value.

    It takes the values as independent and normal. It is not cut to the range of an accuracy: with two or three values
    it may reach beyond 1, which says how little they tell.
    """
    mean, std = mean_and_std(values)
    if std is None:
        return None
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * std / math.sqrt(len(values))
    return mean - half, mean + half


def welch(
    mean_a: float, std_a: Optional[float], n_a: int, mean_b: float, std_b: Optional[float], n_b: int
) -> Optional[float]:
    """Two-sided p of Welch's test that two means, of samples with different variances, are equal.

    std: sample standard deviations. None where one of them is missing or is not of two values at least. Without any
    spread on both sides p is 1 for equal means and 0 for others.
    """
    if std_a is None or std_b is None or min(n_a, n_b) < 2:
        return None
    if std_a == std_b == 0:
        return float(mean_a == mean_b)
    return float(stats.ttest_ind_from_stats(mean_a, std_a, n_a, mean_b, std_b, n_b, equal_var=False).pvalue)


def discordant(right_a: np.ndarray, right_b: np.ndarray) -> Tuple[int, int]:
    """How many of the same pixels only a gets right, and how many only b; bool arrays of equal shape."""
    return int(np.count_nonzero(right_a & ~right_b)), int(np.count_nonzero(right_b & ~right_a))


def mcnemar(only_a_right: int, only_b_right: int) -> float:
    """Two-sided p of McNemar's test that two classifiers err equally often, from the pixels where just one errs.

    Below 25 such pixels the exact binomial probability, from there on chi-square with Edwards' continuity correction.
    Without any, p is 1. The test takes pixels as independent; neighbouring pixels are not, so p is too small.
    """
    pairs = only_a_right + only_b_right
    if pairs == 0:
        return 1.0
    if pairs < _FEW:
        return min(1.0, 2 * float(stats.binom.cdf(min(only_a_right, only_b_right), pairs, 0.5)))
    return float(stats.chi2.sf(max(abs(only_a_right - only_b_right) - 1, 0) ** 2 / pairs, 1))


def mcnemar_of(truth: np.ndarray, prediction_a: np.ndarray, prediction_b: np.ndarray) -> float:
    """`mcnemar` of two predictions of the same pixels. Raises: ValueError for different shapes."""
    if not np.shape(truth) == np.shape(prediction_a) == np.shape(prediction_b):
        raise ValueError(
            "truth and predictions have the shapes %s, %s and %s"
            % (np.shape(truth), np.shape(prediction_a), np.shape(prediction_b))
        )
    return mcnemar(*discordant(np.equal(truth, prediction_a), np.equal(truth, prediction_b)))


def holm(p_values: Sequence[float]) -> List[float]:
    """Holm's step-down correction: p-values, in the given order, to be held against the level of the whole family."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
