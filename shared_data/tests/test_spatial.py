"""Spatial cross-validation: units, folds, the distance from test to training, and classes without training pixels."""

import os

import numpy as np
import pytest
from scipy import ndimage

from shared_data.errors import SplitError
from shared_data.scenes.loading import load_scene
from shared_data.scenes.mat import read_mat
from shared_data.splits.draws import index_hash
from shared_data.splits.spatial import (
    FOLDS,
    SpatialRule,
    deal_folds,
    draw_fold,
    spatial_units,
    training_share,
    untrained_classes,
)

GROUND_TRUTHS = {
    "Indian_pines_gt.mat": "indian_pines_gt",
    "PaviaU_gt.mat": "paviaU_gt",
    "Salinas_gt.mat": "salinas_gt",
    "KSC_gt.mat": "KSC_gt",
}
needs_data = pytest.mark.skipif(not os.environ.get("HSI_DATA"), reason="HSI_DATA names no folder with scene files")


def random_truth(seed):
    """(H, W) labels in blocks of random sides, with unlabelled ones between."""
    random = np.random.RandomState(seed)
    classes = random.randint(1, 5)
    side = random.randint(2, 7)
    blocks = random.randint(0, classes + 1, (random.randint(3, 9), random.randint(3, 9)))
    return np.kron(blocks, np.ones((side, side), int)).astype(np.uint8)


@pytest.fixture(scope="module")
def truth():
    return load_scene("synthetic").ground_truth


def ground_truth_of(name):
    return read_mat(os.path.join(os.environ["HSI_DATA"], name), GROUND_TRUTHS[name]).astype(np.uint8)


@pytest.mark.stack_independent
@pytest.mark.parametrize("seed", range(60))
def test_units_are_connected_pieces_of_one_class(seed):
    truth = random_truth(seed)
    units = spatial_units(truth)
    assert np.array_equal(units > 0, truth > 0)
    assert set(np.unique(units)) - {0} == set(range(1, units.max() + 1))
    for unit in range(1, units.max() + 1):
        assert len(np.unique(truth[units == unit])) == 1
    for label in np.unique(truth[truth > 0]):
        fields, number = ndimage.label(truth == label, np.ones((3, 3)))
        here = np.unique(units[truth == label])
        assert len(here) >= min(FOLDS, number)
        if number >= FOLDS:
            assert len(here) == number
            assert all(len(np.unique(fields[units == unit])) == 1 for unit in here)


def test_a_field_is_cut_across_its_longer_axis_into_equal_strips():
    truth = np.zeros((8, 30), np.uint8)
    truth[2:6, 3:28] = 1
    units = spatial_units(truth)
    assert np.array_equal(units[2], units[5])  # strips stand across
    assert np.bincount(units.ravel())[1:].tolist() == [20] * 5
    assert (np.diff(units[2, 3:28].astype(int)) >= 0).all()


def test_the_largest_of_few_fields_is_cut_first():
    truth = np.zeros((20, 20), np.uint8)
    truth[0:2, 0:2], truth[5:20, 0:9] = 1, 1
    assert sorted(np.bincount(spatial_units(truth).ravel())[1:]) == [4, 27, 36, 36, 36]


def test_a_field_of_one_pixel_is_one_unit():
    truth = np.zeros((3, 3), np.uint8)
    truth[1, 1] = 1
    assert spatial_units(truth).max() == 1


@pytest.mark.stack_independent
@pytest.mark.parametrize("seed", range(60))
def test_every_labelled_pixel_is_tested_once_and_whole_units_are(seed):
    truth = random_truth(seed)
    units = spatial_units(truth)
    folds = deal_folds(truth, units, seed)
    assert np.array_equal(folds >= 0, truth > 0) and folds.max() < FOLDS
    for unit in range(1, units.max() + 1):
        assert len(np.unique(folds[units == unit])) == 1


@pytest.mark.stack_independent
@pytest.mark.parametrize("distance", [0, 3, 6])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_distance_holds_pair_by_pair(truth, seed, distance):
    tested = []
    for fold in range(FOLDS):
        split = draw_fold(truth, SpatialRule(distance), seed, fold)
        tested.append(split.test)
        rows, columns = np.divmod(np.concatenate([split.train, split.val]), truth.shape[1])
        for pixel in split.test[::7]:
            row, column = divmod(pixel, truth.shape[1])
            assert np.maximum(np.abs(rows - row), np.abs(columns - column)).min() > distance
        everything = np.concatenate(split)
        assert len(np.unique(everything)) == len(everything) and truth.ravel()[everything].all()
    assert np.array_equal(np.sort(np.concatenate(tested)), np.flatnonzero(truth))


def test_classes_train_with_their_share_and_never_more(truth):
    counts = np.bincount(truth.ravel())
    for fold in range(FOLDS):
        trained = np.bincount(truth.ravel()[draw_fold(truth, SpatialRule(3), 1, fold).train], minlength=len(counts))
        assert (trained[1:] <= np.maximum(np.ceil(0.05 * counts[1:]), 5)).all()
    assert training_share(truth) == 0.05 and training_share(np.ones((200, 200), np.uint8)) == 0.01


def test_the_seed_decides_and_every_python_draws_the_same(truth):
    """Records of an old and a new stack would not be comparable if their folds differed."""
    one, same, other = (draw_fold(truth, SpatialRule(), seed, 2) for seed in (1, 1, 2))
    assert [index_hash(part) for part in one] == [index_hash(part) for part in same]
    assert index_hash(one.test) != index_hash(other.test)
    assert [index_hash(part)[:12] for part in one] == ["014e0da37dcc", "62f9830a23ce", "8d4ab1a9c6ad"]


def test_classes_without_training_pixels_are_listed():
    truth = np.zeros((10, 40), np.uint8)
    truth[2:5, 0:2], truth[:, 10:40] = 1, 2
    splits = [draw_fold(truth, SpatialRule(6), 1, fold) for fold in range(FOLDS)]
    for split in splits:
        trained = np.unique(truth.ravel()[split.train])
        tested = np.bincount(truth.ravel()[split.test], minlength=3)
        expected = [(label, tested[label]) for label in (1, 2) if tested[label] and label not in trained]
        assert untrained_classes(truth, split) == expected
    assert any(untrained_classes(truth, split) for split in splits)


def test_a_scene_without_room_is_an_error():
    with pytest.raises(SplitError, match="too small for this protocol"):
        draw_fold(np.ones((5, 5), np.uint8), SpatialRule(6), 1, 0)


@needs_data
@pytest.mark.stack_independent
@pytest.mark.parametrize("name", sorted(GROUND_TRUTHS))
def test_real_scenes_train_every_class_at_distance_3_where_fields_allow_it(name):
    truth = ground_truth_of(name)
    missing = set()
    for seed in (1, 2):
        for fold in range(FOLDS):
            split = draw_fold(truth, SpatialRule(3), seed, fold)
            missing |= {entry.label for entry in untrained_classes(truth, split)}
    # Grass-pasture-mowed and Oats of Indian Pines are one field each, of 28 and 20 pixels
    assert missing <= ({7, 9} if name.startswith("Indian") else set())


@needs_data
def test_units_of_indian_pines():
    truth = ground_truth_of("Indian_pines_gt.mat")
    units = spatial_units(truth)
    assert [len(np.unique(units[truth == label])) for label in range(1, 17)] == [5, 6] + [5] * 14
