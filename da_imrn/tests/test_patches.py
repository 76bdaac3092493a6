"""Patch sets against the literal ones, the two grids, gathering, and mini-batches."""

import json

import numpy as np
import pytest
from test_partition import RULES, literal_of, small_scene

from da_imrn.partition import draw_partition
from da_imrn.patches import (
    LEFT_RIGHT,
    UP_DOWN,
    MinibatchStream,
    PatchSet,
    covering_corners,
    gather,
    grid_corners,
    in_grid,
    one_hot,
    op_patches,
    paste,
    training_patches,
    validation_patches,
)

HEIGHT, WIDTH, BANDS, PATCH, CLASSES = 13, 11, 5, 4, 3


@pytest.fixture
def cube():
    return np.random.RandomState(0).randint(0, 9000, (HEIGHT, WIDTH, BANDS)).astype(np.uint16)


def drawn(name, seed):
    truth, rule = small_scene(seed), RULES[name]
    partition = draw_partition(truth, rule, np.random.RandomState(seed))
    return partition, literal_of(partition, truth, rule, seed), rule


def as_tuples(patches):
    return [
        (row, column, flip, labels.tolist())
        for (row, column), flip, labels in zip(patches.corners.tolist(), *patches[1:])
    ]


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_patch_sets_are_the_literal_ones(name, seed):
    partition, literal, rule = drawn(name, seed)
    training = training_patches(partition, rule.patch, np.random.RandomState(seed))
    assert as_tuples(training) == literal.training_patches(training.flips[1::2].tolist())
    assert as_tuples(op_patches(partition, rule.patch)) == literal.op_patches()
    assert as_tuples(validation_patches(partition, rule.patch)) == literal.validation_patches()


@pytest.mark.parametrize("make", [op_patches, validation_patches])
def test_dtypes_and_shapes(make):
    partition, _, rule = drawn("indianpines", 1)
    patches = make(partition, rule.patch)
    assert patches.size > 0 and patches.corners.shape == (patches.size, 2)
    assert patches.labels.shape == (patches.size, 4, 4)
    assert patches.labels.dtype == patches.flips.dtype == np.uint8 and patches.corners.dtype == np.int64
    assert not patches.flips.any()
    if make is validation_patches:  # a kept patch is in the op set even where nothing of it is held out
        assert patches.labels.any(axis=(1, 2)).all()


def test_each_kept_patch_has_a_flipped_copy_behind_it():
    partition, _, rule = drawn("indianpines", 1)
    patches = training_patches(partition, rule.patch, np.random.RandomState(0))
    assert not patches.flips[::2].any() and set(patches.flips[1::2]) == {UP_DOWN, LEFT_RIGHT}
    assert 0.35 < (patches.flips[1::2] == UP_DOWN).mean() < 0.65
    for number in range(0, patches.size, 2):
        assert np.array_equal(patches.corners[number], patches.corners[number + 1])
        turn = np.flipud if patches.flips[number + 1] == UP_DOWN else np.fliplr
        assert np.array_equal(patches.labels[number + 1], turn(patches.labels[number]))


def test_flips_are_those_of_the_generator():
    partition, _, rule = drawn("indianpines", 1)
    one, again, other = (training_patches(partition, rule.patch, np.random.RandomState(seed)) for seed in (4, 4, 5))
    assert np.array_equal(one.flips, again.flips) and not np.array_equal(one.flips, other.flips)
    assert np.array_equal(one.labels[::2], other.labels[::2])


def test_labels_lie_on_their_pixels():
    """A flipped patch gathered from the label map shows the training labels where it has any."""
    truth = small_scene(1)
    partition, _, rule = drawn("indianpines", 1)
    training = training_patches(partition, rule.patch, np.random.RandomState(0))
    for patches in (training, op_patches(partition, rule.patch), validation_patches(partition, rule.patch)):
        shown = gather(truth[..., None], patches.corners, rule.patch, patches.flips)[..., 0, 0]
        assert np.array_equal(shown[patches.labels > 0], patches.labels[patches.labels > 0])


def test_no_windows_give_no_patches():
    partition, _, _ = drawn("indianpines", 1)
    empty = partition._replace(
        corners=partition.corners[:0], labels=partition.labels[:0], op_labels=partition.op_labels[:0],
        val_corners=partition.val_corners[:0], val_labels=partition.val_labels[:0],
    )  # fmt: skip
    sets = training_patches(empty, 4, np.random.RandomState(0)), op_patches(empty, 4), validation_patches(empty, 4)
    assert [patches.labels.shape for patches in sets] == [(0, 4, 4)] * 3


@pytest.mark.parametrize("height, width, rows, columns", [
    (13, 11, [0, 4, 8], [0, 4]), (12, 8, [0, 4, 8], [0, 4]), (4, 7, [0], [0]),
])  # fmt: skip
def test_the_grid_drops_the_remainder(height, width, rows, columns):
    corners = grid_corners(height, width, PATCH)
    assert corners.tolist() == [[row, column] for row in rows for column in columns]
    covered = np.zeros((height, width), bool)
    for row, column in corners:
        covered[row : row + PATCH, column : column + PATCH] = True
    assert np.array_equal(covered, in_grid(height, width, PATCH))


def test_test_patches_of_the_grid_are_the_literal_ones():
    partition, literal, rule = drawn("indianpines", 2)
    corners = grid_corners(*partition.test_labels.shape, rule.patch)
    labelled = gather(partition.test_labels[..., None], corners, rule.patch).any(axis=(1, 2, 3, 4))
    assert corners[labelled].tolist() == [list(corner) for corner in literal.test_patches()]


@pytest.mark.parametrize("height, width", [(13, 11), (12, 8), (12, 9), (15, 8), (4, 7), (4, 4)])
def test_the_covering_fills_every_pixel_and_leaves_the_grid_as_it_is(height, width):
    grid, corners = grid_corners(height, width, PATCH), covering_corners(height, width, PATCH)
    assert np.array_equal(corners[: len(grid)], grid)
    assert len(np.unique(corners, axis=0)) == len(corners)
    numbers = np.arange(1, len(corners) + 1)[:, None, None].repeat(PATCH, 1).repeat(PATCH, 2)
    filled = paste(numbers, corners, (height, width))
    assert filled.min() == 1
    inside = in_grid(height, width, PATCH)
    assert (filled[inside] <= len(grid)).all() and (filled[~inside] > len(grid)).all()
    assert np.array_equal(filled, first_writer(corners, (height, width)))


def first_writer(corners, shape):
    result = np.zeros(shape, int)
    for number, (row, column) in enumerate(corners, start=1):
        window = result[row : row + PATCH, column : column + PATCH]
        window[window == 0] = number
    return result


def test_a_scene_pasted_from_its_own_patches_is_the_scene(cube):
    corners = covering_corners(HEIGHT, WIDTH, PATCH)
    tiles = gather(cube, corners, PATCH)[..., 2, 0]
    assert np.array_equal(paste(tiles, corners, (HEIGHT, WIDTH)), cube[..., 2])


@pytest.mark.parametrize("order", ["C", "F"])
def test_gathered_patches_are_windows_of_the_scene_turned(cube, order):
    corners = np.array([[0, 0], [9, 7], [3, 2], [3, 2]])
    patches = gather(np.array(cube, order=order), corners, PATCH, np.array([0, UP_DOWN, LEFT_RIGHT, 0], np.uint8))
    assert patches.shape == (4, PATCH, PATCH, BANDS, 1) and patches.dtype == np.float32
    windows = [cube[row : row + PATCH, column : column + PATCH].astype(np.float32) for row, column in corners]
    for patch, expected in zip(patches[..., 0], (windows[0], np.flipud(windows[1]), np.fliplr(windows[2]), windows[3])):
        assert np.array_equal(patch, expected)


def test_targets_are_zeros_where_unlabelled():
    labels = np.array([[[0, 1], [3, 2]]], np.uint8)
    target = one_hot(labels, 3)
    assert target.shape == (1, 2, 2, 1, 3) and target.dtype == np.float32
    assert target[0, :, :, 0].tolist() == [[[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 1, 0]]]


def patch_set(number=21):
    random = np.random.RandomState(1)
    corners = np.stack([random.randint(0, HEIGHT - PATCH + 1, number), random.randint(0, WIDTH - PATCH + 1, number)], 1)
    flips, labels = random.randint(0, 3, number), random.randint(0, CLASSES + 1, (number, PATCH, PATCH))
    return PatchSet(corners, flips.astype(np.uint8), labels.astype(np.uint8))


def stream_of(cube, seed=3):
    return MinibatchStream(cube, patch_set(), CLASSES, 8, seed)


def test_an_epoch_holds_every_patch_once_with_its_target(cube):
    stream, patches = stream_of(cube), patch_set()
    batches = list(stream)
    assert [len(x) for x, _ in batches] == [8, 8, 5] and len(stream) == 3
    x, y = (np.concatenate(part) for part in zip(*batches))
    order = np.random.RandomState(3).permutation(patches.size)
    assert np.array_equal(x, gather(cube, patches.corners, PATCH, patches.flips)[order])
    assert np.array_equal(y, one_hot(patches.labels, CLASSES)[order])


def test_the_order_changes_between_epochs_and_is_that_of_the_seed(cube):
    first, again, other = stream_of(cube), stream_of(cube), stream_of(cube, seed=4)
    epochs = [np.concatenate([x for x, _ in stream]) for stream in (first, first, again, other)]
    assert np.array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[0], epochs[3])


@pytest.mark.parametrize("stopped_after", range(7))
def test_position_inside_an_epoch_is_restored(cube, stopped_after):
    whole = stream_of(cube)
    expected = [x for _ in range(3) for x, _ in whole]
    broken, first = stream_of(cube), []
    while len(first) < stopped_after:
        for x, _ in broken:
            first.append(x)
            if len(first) == stopped_after:
                break
    resumed = stream_of(cube, seed=99)
    resumed.load_state_dict(json.loads(json.dumps(broken.state_dict())))
    rest = []
    while len(first) + len(rest) < len(expected):
        rest += [x for x, _ in resumed]
    assert len(first) + len(rest) == len(expected)
    assert all(np.array_equal(left, right) for left, right in zip(first + rest, expected))
