"""The two rules of early stopping on hand-made losses."""

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


def test_an_equal_loss_is_no_improvement():
    assert observe_all(LastBatchRule(patience=2), [0.5, 0.5, 0.5]) == ([2], 3)
    assert observe_all(MeanLossRule(patience=2), [0.5, 0.5, 0.5]) == ([1], 3)


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
    losses = [1.0, 0.9, 1.2, 0.8, 0.9, 0.7, 1.0, 1.0, 1.0, 1.0]
    for stopped in range(len(losses)):
        whole, first, second = kind(4), kind(4), kind(4)
        expected = [whole.observe([loss], [1]) for loss in losses]
        actions = [first.observe([loss], [1]) for loss in losses[:stopped]]
        second.load_state_dict(first.state_dict())
        assert actions + [second.observe([loss], [1]) for loss in losses[stopped:]] == expected


@pytest.mark.parametrize("kind", [LastBatchRule, MeanLossRule])
def test_a_loss_that_is_no_number_is_no_improvement(kind):
    rule = kind(patience=5)
    for loss in (float("nan"), 0.5, float("nan")):
        rule.observe([loss], [1])
    assert rule.best == 0.5 and rule.streak == 1


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="patience must be at least one epoch, not 0"):
        LastBatchRule(patience=0)
    with pytest.raises(ValueError, match="losses and sizes of the validation mini-batches"):
        MeanLossRule().observe([], [])
