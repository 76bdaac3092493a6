"""Early stopping by the best evaluation."""

from shared_data.runs.selection import BestStep


def offer_all(best, values, step=10):
    return [best.offer(step * (index + 1), value) for index, value in enumerate(values)]


def test_better_means_strictly_greater():
    best = BestStep(patience=3)
    assert offer_all(best, [0.5, 0.5, 0.4, 0.6]) == [True, False, False, True]
    assert (best.step, best.value, best.since) == (40, 0.6, 0)


def test_it_is_over_after_patience_evaluations_in_a_row_without_a_better_one():
    best = BestStep(patience=2)
    offer_all(best, [0.5, 0.4, 0.6, 0.6])
    assert not best.exhausted
    best.offer(50, 0.1)
    assert best.exhausted and best.step == 30


def test_patience_zero_is_never_over():
    best = BestStep(patience=0)
    offer_all(best, [0.5] + [0.1] * 100)
    assert not best.exhausted


def test_the_state_is_restored():
    best, again = BestStep(2), BestStep(2)
    offer_all(best, [0.5, 0.4])
    again.load_state_dict(best.state_dict())
    best.offer(30, 0.3)
    again.offer(30, 0.3)
    assert again.state_dict() == best.state_dict() and again.exhausted
