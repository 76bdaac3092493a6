"""Intervals, differences and effective sample sizes of accuracies, by spatial units instead of pixels.

Pixels of one field are nearly copies of each other: thousands of test pixels of a few dozen fields say about as much as
a few dozen independent ones. Intervals of one method draw spatial units (`splits.spatial.spatial_units`) within folds,
never pixels. Differences, their tests and effective sample sizes take whole connected fields, because strips of one
field are not independent. Of several repeats, each unit's results are averaged first, because a repeat tests the same
units again.
"""

from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from shared_data.evaluation.unit_counts import UnitCounts

DRAWS = 2000  # of a bootstrap
FLIPS = 9999  # sign patterns drawn where there are too many to try all
EXACT = 14  # units up to which all sign patterns are tried
LEVEL = 0.95

Interval = Tuple[float, float]


class Accuracies(NamedTuple):
    """Of confusion matrices (..., K, K): oa, aa and kappa (...); recall (..., K), NaN for a class without a pixel."""

    oa: np.ndarray
    aa: np.ndarray
    kappa: np.ndarray
    recall: np.ndarray


class Intervals(NamedTuple):
    """95 % intervals of oa, aa, kappa, and of each class's recall; None for a class without a test pixel, and for one
    whose units do not differ, such as a single one: they do not show how uncertain its recall is."""

    oa: Interval
    aa: Interval
    kappa: Interval
    recall: List[Optional[Interval]]


class Difference(NamedTuple):
    """a's accuracy minus b's, as a fraction, with its 95 % interval and two-sided p; fields: how many were tested.

    interval: all differences that the test does not reject at 5 %.
    """

    estimate: float
    interval: Interval
    p: float
    fields: int


class DesignEffect(NamedTuple):
    """effect: the variance of an OA over fields, divided by the variance that independent pixels would give.

    effective_n: the number of independent pixels that would give the same variance: test pixels divided by the effect.
    """

    effect: float
    effective_n: float


def mean_over_repeats(repeats: Sequence[UnitCounts]) -> UnitCounts:
    """Each unit's mean counts over repeats; a unit that a repeat does not test counts 0 there.

    Where units are in other folds in another repeat there are no common folds, and all are of fold 0.
    """
    if len(repeats) == 1:
        return repeats[0]
    unit = np.unique(np.concatenate([repeat.unit for repeat in repeats]))
    label, field = np.zeros((2, len(unit)), int)
    total = np.zeros((len(unit), repeats[0].predicted.shape[1]))
    for repeat in repeats:
        places = np.searchsorted(unit, repeat.unit)
        label[places], field[places] = repeat.label, repeat.field
        total[places] += repeat.predicted
    first = repeats[0]
    same = all(
        np.array_equal(repeat.unit, first.unit) and np.array_equal(repeat.fold, first.fold) for repeat in repeats
    )
    return UnitCounts(unit, first.fold if same else np.zeros(len(unit), int), label, total / len(repeats), field)


def pixels_of(counts: UnitCounts) -> np.ndarray:
    """(U,) test pixels of each unit."""
    return counts.predicted.sum(axis=1)


def right_of(counts: UnitCounts) -> np.ndarray:
    """(U,) correctly classified test pixels of each unit."""
    return counts.predicted[np.arange(len(counts.unit)), counts.label - 1]


def _by_field(counts: UnitCounts, values: np.ndarray) -> np.ndarray:
    """(F,) sums of the units' values (U,) over the fields that they belong to."""
    return np.bincount(np.unique(counts.field, return_inverse=True)[1].ravel(), weights=values)


def confusion_of(counts: UnitCounts, weights: Optional[np.ndarray] = None) -> np.ndarray:
    """(K, K) pixels by true and predicted class; (draws, K, K) for weights (draws, U), how often each unit counts."""
    if weights is None:
        return confusion_of(counts, np.ones((1, len(counts.unit))))[0]
    num_classes = counts.predicted.shape[1]
    summed = np.zeros((len(weights), num_classes, num_classes))
    for label in np.unique(counts.label):
        members = counts.label == label
        summed[:, label - 1] = weights[:, members] @ counts.predicted[members]
    return summed


def accuracies(confusion: np.ndarray) -> Accuracies:
    """Accuracies of one or many confusion matrices (..., K, K), defined as in `metrics.evaluate`."""
    truth, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total, right = truth.sum(axis=-1), np.diagonal(confusion, axis1=-2, axis2=-1)
    oa, chance = right.sum(axis=-1) / total, (truth * predicted).sum(axis=-1) / total**2
    recall = np.divide(right, truth, out=np.full(truth.shape, np.nan), where=truth > 0)
    # chance is 1 only where everything is of one class, and right
    kappa = np.divide(oa - chance, 1 - chance, out=np.ones_like(oa), where=chance < 1)
    return Accuracies(oa, np.nansum(recall, axis=-1) / (truth > 0).sum(axis=-1), kappa, recall)


def bootstrap_intervals(counts: UnitCounts, draws: int = DRAWS, seed: int = 0) -> Intervals:
    """Percentile intervals from units drawn with replacement within each fold."""
    drawn = accuracies(confusion_of(counts, _weights(counts.fold, draws, seed)))
    recalls = [column[~np.isnan(column)] for column in drawn.recall.T]  # a draw may lack a class
    oa, aa, kappa = (_percentiles(values) for values in (drawn.oa, drawn.aa, drawn.kappa))
    spread = [_percentiles(values) if len(np.unique(values)) > 1 else None for values in recalls]
    return Intervals(oa, aa, kappa, spread)


def _percentiles(values: np.ndarray) -> Interval:
    low, high = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def _weights(fold: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(draws, U): how often each unit is drawn; in each draw as many units of a fold as it has."""
    random = np.random.RandomState(seed)
    weights = np.zeros((draws, len(fold)))
    for one in np.unique(fold):
        members = np.flatnonzero(fold == one)
        weights[:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), draws)
    return weights


def paired_difference(
    a: UnitCounts, b: UnitCounts, metric: str = "oa", flips: int = FLIPS, seed: int = 0
) -> Difference:
    """The difference of two methods' accuracies on the same test pixels.

    p is of the hypothesis that the methods are equally good on each field: then the sign of a field's difference is a
    matter of chance. The interval holds every difference δ that the same test does not reject as the true one of all
    fields.
    metric: oa or aa. Raises: ValueError where units, folds or the pixels of a unit differ.
    """
    if metric not in ("oa", "aa"):
        raise ValueError("differences are of oa or aa, not of '%s'" % metric)
    same = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("unit", "fold", "label", "field"))
    if not same or not np.allclose(pixels_of(a), pixels_of(b)):
        raise ValueError("the two methods were not tested on the same pixels of the same units")
    worth = _worth_of_a_pixel(a, metric)
    shares, weights = (_by_field(a, values * worth) for values in (right_of(a) - right_of(b), pixels_of(a)))
    interval, p = differences_not_rejected(shares, weights, flips, seed), sign_flip_p(shares, flips, seed)
    return Difference(float(shares.sum()), interval, p, len(shares))


def _worth_of_a_pixel(counts: UnitCounts, metric: str) -> np.ndarray:
    """(U,) what a right pixel of each unit adds to the metric, oa or aa."""
    of_class = confusion_of(counts).sum(axis=1)
    if metric == "oa":
        worth = np.full(len(of_class), 1 / of_class.sum())
    else:
        worth = np.divide(1.0, of_class * (of_class > 0).sum(), out=np.zeros(len(of_class)), where=of_class > 0)
    return worth[counts.label - 1]


def _sign_patterns(fields: int, flips: int, seed: int) -> Iterator[np.ndarray]:
    """Parts (n, F) of 1 and -1: all patterns of at most `EXACT` fields, else `flips` drawn ones."""
    if fields <= EXACT:
        yield 1 - 2 * ((np.arange(2**fields)[:, None] >> np.arange(fields)) & 1)
        return
    random = np.random.RandomState(seed)
    for start in range(0, flips, 1000):  # all at once would take memory
        yield 1 - 2 * random.randint(0, 2, (min(1000, flips - start), fields))


def sign_flip_p(shares: np.ndarray, flips: int = FLIPS, seed: int = 0) -> float:
    """Two-sided p of the sum of shares (U,) when each share's sign is a matter of chance.

    All sign patterns are tried where at most `EXACT` shares are not 0; otherwise m = `flips` are drawn, and p is
    (b + 1)/(m + 1), b of them having a sum as large as the observed one.
    """
    shares = shares[shares != 0]
    if not len(shares):
        return 1.0
    least = abs(shares.sum()) - 1e-9 * np.abs(shares).sum()  # sums of another order of addition differ by rounding
    parts = (np.abs(patterns @ shares) >= least for patterns in _sign_patterns(len(shares), flips, seed))
    as_large = int(sum(map(np.count_nonzero, parts)))
    return as_large / 2 ** len(shares) if len(shares) <= EXACT else (as_large + 1) / (flips + 1)


def differences_not_rejected(shares: np.ndarray, weights: np.ndarray, flips: int = FLIPS, seed: int = 0) -> Interval:
    """The least and the greatest difference δ for which `sign_flip_p` of shares − δ·weights is above 5 %; within −1..1.

    shares (F): of the fields in a difference D, their sum. weights (F): of the fields in the accuracy; their sum is 1.
    A pattern s of signs has the sum Σ s·(shares − δ·weights) = a − δ·b, where |b| ≤ 1. It is as large as the observed
    one, |a − δ·b| ≥ |D − δ|, between two ends about D and nowhere else. So the interval's ends are quantiles of those.
    """
    estimate, ends = shares.sum(), []
    for patterns in _sign_patterns(len(shares), flips, seed):
        a, b = patterns @ shares, patterns @ weights
        bounded = np.abs(b) < 1 - 1e-12  # all signs equal: as large for every δ
        crossings = np.full((2, len(a)), np.inf)
        crossings[0, bounded] = (estimate + a[bounded]) / (1 + b[bounded])
        crossings[1, bounded] = (estimate - a[bounded]) / (1 - b[bounded])
        lower = np.where(bounded, crossings.min(axis=0), -np.inf)
        ends.append(np.stack([lower, crossings.max(axis=0)]))
    low, high = np.sort(np.concatenate(ends, axis=1), axis=1)
    rejecting = 1 - LEVEL
    # so many patterns must be as large, as `sign_flip_p` counts them
    least = int(rejecting * len(low)) + 1 if len(shares) <= EXACT else int(rejecting * (len(low) + 1) + 1e-9)
    return max(float(low[least - 1]), -1.0), min(float(high[-least]), 1.0)


def design_effect(counts: UnitCounts) -> Optional[DesignEffect]:
    """Of the overall accuracy, whose variance over fields is that of a ratio estimator.

    None where it is not defined: for a single field, or an accuracy of 0 or 1.
    """
    pixels, right = (_by_field(counts, values) for values in (pixels_of(counts), right_of(counts)))
    total, number = pixels.sum(), len(pixels)
    oa = right.sum() / total
    if number < 2 or not 0 < oa < 1:
        return None
    variance = number / (number - 1) * np.square(right - oa * pixels).sum() / total**2
    effect = float(variance / (oa * (1 - oa) / total))
    return DesignEffect(effect, float(total) / effect) if effect else None
