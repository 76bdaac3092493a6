"""The statistics of runs: intervals of means and of their differences, correction for several tests."""

import math
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
from scipy import stats

FEWEST = 3  # values from which a mean gets an interval


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


def holm(p_values: Sequence[float]) -> List[float]:
    """Holm's step-down correction: p-values, in the given order, to be held against the level of the whole family."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
