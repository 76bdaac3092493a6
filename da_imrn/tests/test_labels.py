"""What a training may see: the labels of its windows, and of no pixel that is held out or tested."""

import numpy as np
import pytest
from da_imrn_helpers import given
from test_partition import ground_truth_of, small_scene

from da_imrn import method
from da_imrn.labels import labels_of, split_of
from da_imrn.partition import Rule, draw_partition
from da_imrn.partition_audit import audit
from da_imrn.patches import op_patches, training_patches, validation_patches
from da_imrn.shipped import recovered_partition
from shared_data.errors import SettingsError
from shared_data.runs.method import Draw

RULE = Rule(6, 4, 9, 0.28, 0.25, 0, 0)
SEALED = ("op_labels", "op_map", "test_labels")


def drawn_on(truth, seed):
    partition = draw_partition(truth, RULE, np.random.RandomState(seed))
    return Draw(split_of(partition, RULE.patch, "scene"), partition)


def same(found, expected):
    return all(np.array_equal(*pair) for pair in zip(found, expected))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_they_are_those_of_the_partition(seed):
    truth = small_scene(seed, 61, 66)
    draw = drawn_on(truth, seed)
    labels = labels_of(draw, truth)
    windows, partition = labels.windows, draw.plan
    assert np.array_equal(labels.train, partition.train_map) and np.array_equal(labels.val, partition.val_map)
    assert same((labels.train_pixels, labels.val_pixels), draw.split[:2]) and labels.truth is None
    for name in partition._fields:
        found, expected = getattr(windows, name), getattr(partition, name)
        if name in SEALED:
            assert found.dtype == bool and np.array_equal(found, expected > 0) and found.any()
        else:
            assert np.array_equal(found, expected), name
    one, other = (training_patches(each, 4, np.random.RandomState(seed)) for each in (windows, partition))
    assert same(one, other) and same(validation_patches(windows, 4), validation_patches(partition, 4))
    assert np.array_equal(op_patches(windows, 4).labels, op_patches(partition, 4).labels > 0)
    assert audit(windows, RULE) == audit(partition, RULE)


def test_no_other_label_can_be_read_from_them():
    """Whatever the labels held out and tested are, a training is given the same."""
    truth = small_scene(1, 61, 66)
    draw = drawn_on(truth, 1)
    trains = np.zeros(truth.shape, bool)
    for (row, column), inside in zip(draw.plan.corners, draw.plan.labels):
        trains[row : row + RULE.window, column : column + RULE.window] |= inside > 0
    hidden = (truth > 0) & ~trains & ~(draw.plan.val_map > 0)
    assert (hidden & (draw.plan.op_map > 0)).any() and (hidden & (draw.plan.test_labels > 0)).any()
    altered = np.where(hidden, truth % 4 + 1, truth).astype(np.uint8)
    one, other = labels_of(draw, truth), labels_of(draw, altered)
    assert same(one[:4], other[:4]) and same(one.windows[:9], other.windows[:9])


def test_a_changed_training_label_is_seen():
    truth = small_scene(1, 61, 66)
    draw = drawn_on(truth, 1)
    for pixels, name in ((draw.split.train, "train"), (draw.split.val, "val")):
        altered = truth.copy()
        altered.ravel()[pixels[0]] = truth.ravel()[pixels[0]] % 4 + 1
        found, expected = labels_of(draw, altered), labels_of(draw, truth)
        assert np.flatnonzero(getattr(found, name) != getattr(expected, name)).tolist() == [pixels[0]]
        inside = "labels" if name == "train" else "val_labels"
        assert not np.array_equal(getattr(found.windows, inside), getattr(expected.windows, inside))


@pytest.mark.parametrize("number", [1, 5])
def test_of_a_recovered_partition(number):
    truth = ground_truth_of("indianpines")
    partition = recovered_partition(truth, number)
    windows = labels_of(Draw(split_of(partition, 4, "grid"), partition), truth).windows
    for name in ("labels", "val_labels", "train_map", "val_map"):
        assert np.array_equal(getattr(windows, name), getattr(partition, name)), name


@pytest.mark.parametrize("protocol", ["paper", "released", "disjoint"])
def test_of_a_request(request_for, protocol):
    one = given(request_for(protocol=protocol))
    labels, truth = one.labels, one.loaded.ground_truth
    for some, pixels in ((labels.train, one.draw.split.train), (labels.val, one.draw.split.val)):
        assert np.array_equal(np.flatnonzero(some), pixels)
        assert np.array_equal(some.ravel()[pixels], truth.ravel()[pixels])
    assert all(getattr(labels.windows, name).dtype == bool for name in SEALED)
    assert not one.configuration.discloses


def test_a_partition_that_leaves_nothing_to_test_is_refused(request_for, monkeypatch):
    one = given(request_for())
    nothing = one.draw.plan._replace(test_labels=np.zeros_like(one.draw.plan.test_labels))
    monkeypatch.setattr(method.experiments, "partition_for", lambda *_: nothing)
    with pytest.raises(SettingsError, match="leave no labelled pixel to test"):
        method.METHOD.draw(one.loaded, one.configuration, 1)
