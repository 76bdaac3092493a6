"""The order of mini-batches: complete epochs, repeatable, resumable inside an epoch."""

import json

import pytest

from shared_data.splits.minibatch_order import MinibatchOrder


def epoch(order):
    return list(order)


def test_an_epoch_holds_every_position_once():
    order = MinibatchOrder(23, 5, seed=1)
    first, second = epoch(order), epoch(order)
    assert [len(batch) for batch in first] == [5, 5, 5, 5, 3] and len(order) == 5
    for batches in (first, second):
        assert sorted(position for batch in batches for position in batch) == list(range(23))
    assert first != second


def test_the_seed_decides():
    assert epoch(MinibatchOrder(23, 5, 1)) == epoch(MinibatchOrder(23, 5, 1)) != epoch(MinibatchOrder(23, 5, 2))


@pytest.mark.parametrize("taken", [0, 1, 4, 5, 7])
def test_it_goes_on_where_it_was_stopped(taken):
    def stream(order):
        while True:
            for batch in order:
                yield batch

    whole = stream(MinibatchOrder(23, 5, 1))
    expected = [next(whole) for _ in range(12)]
    stopped = MinibatchOrder(23, 5, 1)
    begun = stream(stopped)
    for _ in range(taken):
        next(begun)
    resumed = MinibatchOrder(23, 5, 99)
    resumed.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    again = stream(resumed)
    assert [next(again) for _ in range(12 - taken)] == expected[taken:]
