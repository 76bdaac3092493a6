"""The two rules of early stopping on hand-made losses."""

import math
import random

import pytest

from a2s2k_resnet.stopping import LastBatchRule, MeanLossRule


def observe_all(rule, losses):
    """The kept epochs, and the epoch that stops (None: the losses run out)."""
    kept = []
    for epoch, loss in enumerate(losses, start=1):
        action = rule.observe([loss], [16])
        if action.keep:
            kept.append(epoch)
            assert rule.kept_epoch == epoch
        if action.stop:
            return kept, epoch
    return kept, None


def test_released_keeps_the_first_worse_epoch_and_restores_it():
    rule = LastBatchRule(patience=3)
    assert observe_all(rule, [1.0, 0.5, 0.8, 0.6, 0.7, 0.1]) == ([3], 5)
    assert rule.kept_epoch == 3 and rule.best == 0.5


def test_released_keeps_anew_in_every_streak():
    rule = LastBatchRule(patience=3)
    assert observe_all(rule, [1.0, 1.1, 0.9, 1.2, 1.3, 0.8, 2.0, 2.0, 2.0]) == ([2, 4, 7], 9)


def test_released_patience_is_twenty_epochs():
    assert observe_all(LastBatchRule(), [0.5] + [0.6] * 30) == ([2], 21)
    assert observe_all(LastBatchRule(), [0.5] + [0.6] * 19 + [0.4] + [0.6] * 19) == ([2, 22], None)


def test_released_looks_at_the_last_batch_alone():
    rule = LastBatchRule(patience=1)
    assert rule.observe([9.0, 9.0, 0.5], [16, 16, 3]) == (False, False)
    assert rule.observe([0.1, 0.1, 0.6], [16, 16, 3]) == (True, True)


def test_released_restores_nothing_where_the_epochs_run_out():
    assert not LastBatchRule.restores_at_end
    assert MeanLossRule.restores_at_end


def released(losses, patience):
    """The release as the specification tells it: a list whose last two values are compared by `<`.

    Entry 0 stands before the first epoch; a worse loss is replaced by the one before it.
    """
    compared, worse_in_a_row, kept = [100.0], 0, []
    for epoch, loss in enumerate(losses, start=1):
        compared.append(loss)
        previous, newest = compared[-2:]
        if previous < newest:
            worse_in_a_row += 1
            compared[-1] = previous
            kept += [epoch] * (worse_in_a_row == 1)
        else:
            worse_in_a_row = 0
        if worse_in_a_row == patience:
            return kept, epoch
    return kept, None


def by_strict_improvement(losses, patience):
    """What the rule was before ties were known: worse is whatever is not below the best so far."""
    best, streak, kept = math.inf, 0, []
    for epoch, loss in enumerate(losses, start=1):
        streak = 0 if loss < best else streak + 1
        best = min(best, loss)
        kept += [epoch] * (streak == 1)
        if streak == patience:
            return kept, epoch
    return kept, None


def test_released_without_ties_is_strict_improvement():
    draw = random.Random(0)
    for _ in range(200):
        patience = draw.randint(1, 6)
        losses = [draw.uniform(0, 100) for _ in range(40)]
        expected = by_strict_improvement(losses, patience)
        assert observe_all(LastBatchRule(patience), losses) == expected == released(losses, patience)


def test_released_on_ties_nan_and_large_losses_is_the_list():
    """Values from a few, so that ties are frequent; sequences on which strict improvement decides otherwise."""
    draw, different = random.Random(1), 0
    for _ in range(400):
        patience = draw.randint(1, 5)
        losses = [draw.choice([0.0, 0.0, 0.1, 0.2, 0.3, 100.0, 150.0, math.nan, math.inf]) for _ in range(30)]
        expected = released(losses, patience)
        assert observe_all(LastBatchRule(patience), losses) == expected
        different += expected != by_strict_improvement(losses, patience)
    assert different > 200


def test_an_equal_loss_is_not_worse_in_the_release():
    assert observe_all(LastBatchRule(patience=2), [0.5, 0.5, 0.5]) == ([], None)
    assert observe_all(LastBatchRule(patience=3), [0.5, 0.7, 0.6, 0.5, 0.6, 0.7, 0.8]) == ([2, 5], 7)


def test_an_equal_loss_is_no_improvement_of_the_mean():
    assert observe_all(MeanLossRule(patience=2), [0.5, 0.5, 0.5]) == ([1], 3)


def test_released_never_stops_on_repeated_zeros():
    rule = LastBatchRule()
    assert observe_all(rule, [0.4, 0.5] + [0.0] * 300) == ([2], None)
    assert (rule.best, rule.streak, rule.restores, rule.used_epoch) == (0.0, 0, False, 302)


def test_released_takes_a_first_loss_above_100_for_worse():
    assert observe_all(LastBatchRule(patience=3), [101.0, 102.0, 100.5, 1.0]) == ([1], 3)
    assert observe_all(LastBatchRule(patience=3), [101.0, 99.0, 100.0, 100.0]) == ([1, 3], None)
    assert observe_all(LastBatchRule(patience=1), [100.0, 100.0]) == ([], None)


def test_paper_keeps_the_best_epoch():
    rule = MeanLossRule(patience=3)
    assert observe_all(rule, [1.0, 0.5, 0.8, 0.4, 0.7, 0.6, 0.5, 0.1]) == ([1, 2, 4], 7)
    assert rule.kept_epoch == 4


def test_paper_monitors_the_mean_over_pixels():
    rule = MeanLossRule()
    rule.observe([1.0, 4.0], [16, 4])
    assert rule.best == pytest.approx(1.6)


@pytest.mark.parametrize("kind", [LastBatchRule, MeanLossRule])
def test_a_restored_rule_goes_on_alike(kind):
    losses = [1.0, 0.9, 1.2, 0.8, 0.9, 0.7, 0.7, math.nan, 1.0, 1.0, 1.1, 1.2, 1.3, 1.4]
    for stopped in range(len(losses)):
        whole, first, second = kind(4), kind(4), kind(4)
        expected = [whole.observe([loss], [1]) for loss in losses]
        actions = [first.observe([loss], [1]) for loss in losses[:stopped]]
        second.load_state_dict(first.state_dict())
        assert actions + [second.observe([loss], [1]) for loss in losses[stopped:]] == expected


def test_a_mean_that_is_no_number_is_no_improvement():
    rule = MeanLossRule(patience=5)
    for loss in (math.nan, 0.5, math.nan):
        rule.observe([loss], [1])
    assert rule.best == 0.5 and rule.streak == 1


def test_released_takes_nan_for_not_worse_and_begins_anew_after_it():
    rule = LastBatchRule(patience=2)
    assert observe_all(rule, [0.5, 0.6, math.nan, 9.0, 9.5]) == ([2, 5], None)
    assert (rule.best, rule.streak) == (9.0, 1)
    assert observe_all(LastBatchRule(patience=1), [math.nan] * 50) == ([], None)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="patience must be at least one epoch, not 0"):
        LastBatchRule(patience=0)
    with pytest.raises(ValueError, match="losses and sizes of the validation mini-batches"):
        MeanLossRule().observe([], [])
