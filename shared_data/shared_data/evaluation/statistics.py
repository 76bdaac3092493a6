"""The statistics of a comparison: intervals of means and of their differences, McNemar's test of two predictions."""

import math
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
from scipy import stats

FEWEST = 3  # values from which a mean gets an interval
_FEW = 25  # discordant pairs below which McNemar's test is exact


def mean_and_std(values: Sequence[float]) -> Tuple[float, Optional[float]]:
    """Mean and sample standard deviation, ddof 1; the latter is None for a single value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def confidence_interval(values: Sequence[float], level: float = 0.95) -> Optional[Tuple[float, float]]:
    """Student's t interval of the mean; None for fewer than `FEWEST` values, for which it would be too wide to be
    useful.

    It takes the values as independent and normal, and is not cut to the range of an accuracy.
    """
    if len(values) < FEWEST:
        return None
    mean, std = mean_and_std(values)
    assert std is not None  # of several values
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * std / math.sqrt(len(values))
    return mean - half, mean + half


def welch_interval(
    mean_a: Any, std_a: Any, n_a: int, mean_b: Any, std_b: Any, n_b: int, level: float = 0.9
) -> Tuple[Any, Any]:
    """Welch's interval of the difference of two means, a - b; the variances may differ.

    mean, std: numbers, or arrays of one shape for many comparisons at once; std are sample standard deviations, ddof 1.
    n: values behind each side, at least 2. Without any spread on both sides the interval is the difference alone.
    """
    variance_a, variance_b = np.square(std_a) / n_a, np.square(std_b) / n_b
    total = variance_a + variance_b
    share = np.divide(variance_a, total, out=np.full(np.shape(total), 0.5), where=total > 0)
    freedom = 1 / (share**2 / (n_a - 1) + (1 - share) ** 2 / (n_b - 1))  # Welch-Satterthwaite
    half = stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(total)
    return mean_a - mean_b - half, mean_a - mean_b + half


def discordant(right_a: np.ndarray, right_b: np.ndarray) -> Tuple[int, int]:
    """The discordant pairs: numbers of pixels that only a, and only b, classifies correctly; bool arrays of equal
    shape."""
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
