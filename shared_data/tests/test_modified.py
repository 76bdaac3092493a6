"""Which runs are modified, and which truncated: what differs from the packaged configuration, however changed."""

import copy
from functools import partial

import pytest
import toy_method
from toy_method import METHOD

from shared_data.runs.reproduce import is_truncated, modifications, reproduce
from shared_data.runs.request import Request

PACKAGED = {
    "scene": "synthetic",
    "network": {"strides": [1, 2], "block": {"width": 3}},
    "train": {"epochs": 9, "num_iters": 0, "lr": 0.1},
}


def changed(**values):
    """PACKAGED with values changed or added at "a__b"; None takes a key away."""
    config = copy.deepcopy(PACKAGED)
    for place, value in values.items():
        *path, last = place.split("__")
        section = config
        for part in path:
            section = section[part]
        if value is None:
            del section[last]
        else:
            section[last] = value
    return config


@pytest.mark.parametrize(
    "config, keys",
    [
        (changed(), ()),
        (changed(train__lr=0.1, network__strides=(1, 2)), ()),  # the same values, however they were given
        (changed(train__lr=0.2), ("train.lr",)),
        (changed(network__strides=[2, 1]), ("network.strides",)),
        (changed(network__block__width=4, scene="pavia"), ("network.block.width", "scene")),
        (changed(train__momentum=0.9), ("train.momentum",)),
        (changed(train__momentum=0), ("train.momentum",)),
        (changed(train__num_iters=None), ("train.num_iters",)),
        (changed(network__block=3), ("network.block", "network.block.width")),
        (changed(train__lr=True), ("train.lr",)),
    ],
)
def test_keys_whose_values_differ(config, keys):
    assert modifications(config, PACKAGED) == keys
    assert modifications(PACKAGED, config) == keys


@pytest.mark.parametrize(
    "changes, truncated",
    [
        ({}, False),
        ({"train__lr": 0.001}, False),
        ({"train__epochs": 8}, True),
        ({"train__epochs": 10}, False),
        ({"train__num_iters": 5}, True),  # a limit where the packaged configuration has none
        ({"train__epochs": 0}, False),
        ({"train__epochs": 10, "train__num_iters": 5}, True),
    ],
)
def test_fewer_iterations_or_epochs(changes, truncated):
    assert is_truncated(changed(**changes), PACKAGED) is truncated


def test_a_limit_of_iterations_that_is_packaged():
    packaged = {"train": {"num_iters": 600}}
    assert is_truncated({"train": {"num_iters": 599}}, packaged)
    assert not is_truncated({"train": {"num_iters": 600}}, packaged)
    assert not is_truncated({"train": {"num_iters": 700}}, packaged)
    assert not is_truncated({"grid": [1]}, {"grid": [1]})


@pytest.mark.parametrize(
    "config, overrides, modified, truncated",
    [
        (changed(), ("train.lr=0.1",), [], False),
        (changed(train__epochs=2), (), ["train.epochs"], True),
        (changed(train__lr=0.2), ("train.lr=0.2",), ["train.lr"], False),
    ],
)
def test_the_record_compares_configurations_not_requests(tmp_path, config, overrides, modified, truncated):
    request = Request("synthetic", "paper", 1, None, False, "cpu", None, overrides, tmp_path, False)
    method = METHOD._replace(resolve=partial(toy_method.resolve, settings=config, packaged=PACKAGED))
    record = reproduce(method, request).record
    assert (record["modified"], record["truncated"]) == (modified, truncated)
