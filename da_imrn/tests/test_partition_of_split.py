"""A split of all methods as windows: the same pixels, their labels and no others."""

import numpy as np
import pytest

from da_imrn import experiments
from da_imrn.labels import split_of
from da_imrn.partition import window_pixels
from da_imrn.partition_of_split import partition_of_split
from shared_data.scenes.loading import load_scene
from shared_data.splits.disjoint import common_split
from shared_data.splits.draws import index_hash


@pytest.fixture(scope="module")
def loaded():
    return load_scene("synthetic")


@pytest.fixture(scope="module", params=[1, 2])
def drawn(request, loaded):
    """(split, partition, rule) of a seed."""
    rule, _, _ = experiments.partition_rule(experiments.load("synthetic"), "disjoint")
    split = common_split(loaded, request.param)
    return split, partition_of_split(split, loaded.ground_truth, rule), rule


def test_the_partition_has_the_pixels_of_the_split(drawn):
    split, partition, rule = drawn
    again = split_of(partition, rule.patch, "scene")
    assert [index_hash(part) for part in again] == [index_hash(part) for part in split]


def test_windows_hold_the_labels_of_their_set_alone(drawn, loaded):
    split, partition, rule = drawn
    truth, width = loaded.ground_truth.ravel(), loaded.ground_truth.shape[1]
    sides = (partition.corners, partition.labels, split.train), (partition.val_corners, partition.val_labels, split.val)
    for corners, labels, pixels in sides:
        places = window_pixels(corners, rule.window, width)
        np.testing.assert_array_equal(labels, np.where(np.isin(places, pixels), truth[places], 0))
        assert labels.any(axis=(1, 2)).all() and set(places[labels > 0]) == set(pixels)
    assert not partition.op_labels.any() and not partition.op_map.any()


def test_windows_that_the_border_would_cut_are_moved_inside(loaded):
    truth = loaded.ground_truth[:100, :91]  # neither side is a multiple of six
    rule, _, _ = experiments.partition_rule(experiments.load("synthetic"), "disjoint")
    split = common_split(loaded._replace(ground_truth=truth), 1)
    partition = partition_of_split(split, truth, rule)
    last = partition.corners.max(axis=0) + rule.window
    assert (last <= truth.shape).all() and np.count_nonzero(partition.train_map) == split.train.size


def test_a_rule_that_fits_no_patch_is_refused(drawn, loaded):
    split, _, rule = drawn
    with pytest.raises(ValueError, match="smaller than a patch"):
        partition_of_split(split, loaded.ground_truth, rule._replace(window=2))
