"""Statistics of spatial units: against plain loops, numbers worked by hand, and what they promise over many draws."""

from itertools import product

import numpy as np
import pytest

from shared_data.evaluation.field_statistics import (
    EXACT,
    accuracies,
    bootstrap_intervals,
    confusion_of,
    design_effect,
    differences_not_rejected,
    mean_over_repeats,
    paired_difference,
    pixels_of,
    right_of,
    sign_flip_p,
)
from shared_data.evaluation.metrics import evaluate
from shared_data.evaluation.unit_counts import UnitCounts

pytestmark = pytest.mark.stack_independent


def drawn(seed, units=12, classes=3, pixels=200, accuracy=0.6):
    """Units, truth and prediction of random pixels; each unit is of one class."""
    random = np.random.RandomState(seed)
    unit = random.randint(1, units + 1, pixels)
    truth = unit % classes + 1
    return unit, truth, np.where(random.random_sample(pixels) < accuracy, truth, random.randint(1, classes + 1, pixels))


def counted(unit, truth, prediction, classes):
    """The counts of these pixels, in one fold."""
    predicted, label = np.zeros((unit.max() + 1, classes)), np.zeros(unit.max() + 1, int)
    for one, true, found in zip(unit, truth, prediction):
        label[one] = true
        predicted[one, found - 1] += 1
    there = np.unique(unit)
    return UnitCounts(there, np.zeros(len(there), int), label[there], predicted[there], there)


def of_units(right, pixels, fold=None):
    """Counts of two classes; all pixels are of class 1."""
    right, pixels = np.array(right, float), np.array(pixels, float)
    number, zeros = np.arange(1, len(right) + 1), np.zeros(len(right), int)
    predicted = np.stack([right, pixels - right], axis=1)
    return UnitCounts(number, zeros if fold is None else fold, zeros + 1, predicted, number)


# accuracies


@pytest.mark.parametrize("seed", range(3))
def test_accuracies_of_counts_are_those_of_their_pixels(seed):
    unit, truth, prediction = drawn(seed)
    counts = counted(unit, truth, prediction, 4)
    metrics, found = evaluate(truth, prediction, 4), accuracies(confusion_of(counts))
    np.testing.assert_array_equal(confusion_of(counts), metrics.confusion)
    assert [found.oa, found.aa, found.kappa] == pytest.approx([metrics.oa, metrics.aa, metrics.kappa])
    assert found.recall[:3] == pytest.approx(metrics.per_class[:3]) and np.isnan(found.recall[3])
    assert right_of(counts).sum() == (truth == prediction).sum() and pixels_of(counts).sum() == len(unit)


def test_many_matrices_at_once_and_one_class_alone():
    found = accuracies(np.array([[[5, 0], [0, 0]], [[0, 5], [0, 0]], [[1, 1], [1, 1]]], float))
    assert found.kappa.tolist() == [1, 0, 0] and found.oa.tolist() == [1, 0, 0.5]


def test_repeats_are_averaged_unit_by_unit_not_counted_as_more_units():
    first, second = of_units([2, 4], [4, 4]), of_units([4, 0], [4, 4])
    mean = mean_over_repeats([first, second])
    assert mean.unit.tolist() == [1, 2] and right_of(mean).tolist() == [3, 2] and pixels_of(mean).tolist() == [4, 4]
    assert mean_over_repeats([first, first, first]).predicted == pytest.approx(first.predicted)


def test_folds_are_kept_where_all_repeats_have_the_same():
    folds = np.array([0, 1])
    same = of_units([2, 4], [4, 4], folds)
    assert mean_over_repeats([same, same]).fold.tolist() == [0, 1]
    assert mean_over_repeats([same, of_units([2, 4], [4, 4], 1 - folds)]).fold.tolist() == [0, 0]


def test_a_unit_that_one_repeat_does_not_test():
    part = of_units([3], [4])._replace(unit=np.array([2]))
    mean = mean_over_repeats([of_units([2, 1], [4, 4]), part])
    assert right_of(mean).tolist() == [1, 2] and pixels_of(mean).tolist() == [2, 4]


# intervals


def test_an_interval_draws_units_within_their_folds():
    # each fold's units are equal, so drawing within folds always gives the same accuracy
    fold = np.array([0, 0, 0, 1, 1])
    counts = of_units([10, 10, 10, 0, 0], [10] * 5, fold)
    assert bootstrap_intervals(counts).oa == pytest.approx((0.6, 0.6))
    low, high = bootstrap_intervals(counts._replace(fold=0 * fold)).oa
    assert low < 0.3 and high > 0.9


def test_the_bootstrap_is_a_loop_over_drawn_units():
    counts = counted(*drawn(4), 3)
    random = np.random.RandomState(1)
    oas = []
    for _ in range(4000):
        chosen = random.randint(0, len(counts.unit), len(counts.unit))
        oas.append(right_of(counts)[chosen].sum() / pixels_of(counts)[chosen].sum())
    assert bootstrap_intervals(counts, draws=4000).oa == pytest.approx(np.percentile(oas, [2.5, 97.5]), abs=0.01)


def test_the_same_seed_gives_the_same_interval_and_all_lie_around_their_estimate():
    counts = counted(*drawn(5), 4)
    found = bootstrap_intervals(counts)
    assert found == bootstrap_intervals(counts) != bootstrap_intervals(counts, seed=1)
    estimate = accuracies(confusion_of(counts))
    for name in ("oa", "aa", "kappa"):
        low, high = getattr(found, name)
        assert low < getattr(estimate, name) < high
    assert found.recall[3] is None and all(low < high for low, high in found.recall[:3])
    assert bootstrap_intervals(of_units([3, 3], [4, 4])).recall == [None, None]  # two units that do not differ


def test_the_interval_holds_the_accuracy_about_as_often_as_it_says():
    random, held = np.random.RandomState(6), []
    for number in range(300):
        pixels = random.randint(5, 50, 40)
        right = random.binomial(pixels, random.beta(3, 2, 40))  # units of mean accuracy 0.6 with a spread of their own
        low, high = bootstrap_intervals(of_units(right, pixels), draws=400, seed=number).oa
        held.append(low <= 0.6 <= high)
    assert 0.89 < np.mean(held) < 0.98


# differences


def test_p_by_all_sign_patterns_is_exact():
    shares = np.array([3.0, -1.0, 2.0, 0.5])
    sums = [abs(np.dot(signs, shares)) for signs in product((-1, 1), repeat=4)]
    assert sign_flip_p(shares) == np.mean(np.array(sums) >= 4.5)
    # of equal signs only the two extreme patterns are as large; zeros take no part
    assert sign_flip_p(np.array([0.1] * 6 + [0.0] * 30)) == 2 / 64
    assert sign_flip_p(np.zeros(5)) == 1.0


def test_p_of_drawn_patterns_is_close_to_the_exact_one_and_never_zero():
    shares = np.random.RandomState(7).normal(0.3, 1, EXACT)
    more = np.concatenate([shares, [1e-12]])  # one more share, too small to matter
    assert sign_flip_p(more) == pytest.approx(sign_flip_p(shares), abs=0.02)
    assert sign_flip_p(np.ones(40), flips=99) == 0.01


def test_rounding_does_not_decide_what_is_as_large():
    shares = np.array([0.1, 0.2, 0.3] * 4)
    assert sign_flip_p(shares) == 2 / 2**12


def test_a_difference_is_that_of_the_metrics():
    unit, truth, prediction = drawn(8)
    better = np.where(np.random.RandomState(9).random_sample(len(truth)) < 0.5, truth, prediction)
    a, b = (counted(unit, truth, one, 3) for one in (better, prediction))
    ours, theirs = (evaluate(truth, one, 3) for one in (better, prediction))
    for metric in ("oa", "aa"):
        found, back = paired_difference(a, b, metric), paired_difference(b, a, metric)
        assert found.estimate == pytest.approx(getattr(ours, metric) - getattr(theirs, metric))
        assert found.interval[0] < found.estimate < found.interval[1] and found.interval[0] > 0
        assert found.p < 0.01 and found.fields == 12
        assert back.estimate == -found.estimate and back.p == found.p
        assert back.interval == pytest.approx([-end for end in found.interval[::-1]])


def test_units_are_paired():
    # both methods vary from unit to unit alike, so the difference is known far better than either accuracy
    pixels = np.full(20, 100)
    base = np.arange(20) * 4
    a, b = of_units(base + 2, pixels), of_units(base, pixels)
    assert paired_difference(a, b).interval == pytest.approx((0.02, 0.02))
    low, high = bootstrap_intervals(a).oa
    assert high - low > 0.1


@pytest.mark.parametrize("fields", [9, EXACT + 1])
def test_an_interval_holds_the_differences_that_the_test_does_not_reject(fields):
    random = np.random.RandomState(fields)
    weights = random.dirichlet(np.ones(fields))
    shares = random.normal(0.1, 0.2, fields) * weights
    low, high = differences_not_rejected(shares, weights)
    for end, outwards in ((low, -1e-6), (high, 1e-6)):
        assert sign_flip_p(shares - (end + outwards) * weights) <= 0.05
        assert sign_flip_p(shares - (end - outwards) * weights) > 0.05


def test_five_fields_reject_no_difference():
    a, b = of_units([9, 9, 9, 8, 9], [10] * 5), of_units([1, 2, 1, 2, 1], [10] * 5)
    assert paired_difference(a, b).p == 2 / 32 and paired_difference(a, b).interval == (-1, 1)


def test_what_was_not_tested_on_the_same_pixels_is_refused():
    a = of_units([1, 2], [4, 4])
    for other in (of_units([1, 2], [4, 5]), of_units([1, 2, 3], [4, 4, 4]), of_units([1, 2], [4, 4], np.array([0, 1]))):
        with pytest.raises(ValueError, match="same pixels of the same units"):
            paired_difference(a, other)
    with pytest.raises(ValueError, match="oa or aa"):
        paired_difference(a, a, "kappa")


def test_equal_methods_are_rejected_no_more_often_than_the_level_says():
    random, rejected = np.random.RandomState(10), []
    for _ in range(400):
        pixels = random.randint(5, 200, 30)
        rates = random.beta(2, 1, (2, 30))
        a, b = (of_units(random.binomial(pixels, rate), pixels) for rate in rates)
        rejected.append(sign_flip_p(right_of(a) - right_of(b), flips=499) <= 0.05)
    assert 0.02 < np.mean(rejected) < 0.085


# effective sizes


def test_independent_pixels_have_no_design_effect_and_copies_have_their_number():
    random = np.random.RandomState(11)
    right = random.random_sample(3000) < 0.7
    alone = of_units(right.astype(int), np.ones(3000, int))
    assert design_effect(alone).effect == pytest.approx(1, abs=0.01)
    copied = design_effect(of_units(20 * right, np.full(3000, 20)))  # each draw stands for 20 equal pixels
    assert copied.effect == pytest.approx(20, rel=0.01) and copied.effective_n == pytest.approx(3000, rel=0.01)


def test_the_design_effect_is_the_variance_that_a_bootstrap_shows():
    random = np.random.RandomState(12)
    pixels = random.randint(20, 60, 200)
    counts = of_units(random.binomial(pixels, random.beta(4, 2, 200)), pixels)
    low, high = bootstrap_intervals(counts, draws=4000).oa
    oa = accuracies(confusion_of(counts)).oa
    expected = ((high - low) / 3.92) ** 2 / (oa * (1 - oa) / pixels.sum())
    assert design_effect(counts).effect == pytest.approx(expected, rel=0.1)


def test_where_there_is_no_design_effect():
    assert design_effect(of_units([1], [4])) is None
    assert design_effect(of_units([4, 4], [4, 4])) is None and design_effect(of_units([0, 0], [4, 4])) is None


def test_strips_of_one_field_count_as_one_in_tests_and_effective_sizes():
    """Cutting fields into strips must not make a difference more certain."""
    whole_a, whole_b = of_units([30, 20, 25], [40, 40, 40]), of_units([20, 10, 15], [40, 40, 40])
    strips = [of_units(np.repeat(right, 4) / 4, np.repeat([40] * 3, 4) / 4) for right in ([30, 20, 25], [20, 10, 15])]
    cut_a, cut_b = (counts._replace(field=np.repeat([1, 2, 3], 4)) for counts in strips)
    whole, cut = paired_difference(whole_a, whole_b), paired_difference(cut_a, cut_b)
    assert (cut.estimate, cut.p, cut.fields) == (whole.estimate, whole.p, 3) and whole.p == 0.25
    assert paired_difference(*strips).p < 0.01  # as if the strips were independent
    assert design_effect(cut_a).effective_n == pytest.approx(design_effect(whole_a).effective_n)
