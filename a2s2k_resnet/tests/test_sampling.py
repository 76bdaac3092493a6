"""The random split against the official hashes."""

import numpy as np
import pytest
from a2s2k_resnet_helpers import official_ground_truth, read_golden

from a2s2k_resnet.sampling import draw_split, training_count
from shared_data.errors import SplitError
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import index_hash

SCENES = {"indianpines": "indian_pines", "pavia": "pavia_university", "salinas": "salinas"}


@pytest.mark.parametrize("slug", sorted(SCENES))
@pytest.mark.parametrize("seed", [1331, 1332, 1333])
def test_split_hashes(slug, seed):
    expected = read_golden("splits")[SCENES[slug]]["a2s2k_0.9_seed%d" % seed]
    ground_truth = official_ground_truth(slug)
    split = draw_split(ground_truth, seed)
    for name in ("train", "val", "test"):
        indices = getattr(split, name)
        assert indices.size == expected[name]
        assert index_hash(indices) == expected[name + "_sha256"]
    assert split.train[:10].tolist() == expected["first10_train"]
    assert split.test[:10].tolist() == expected["first10_test"]
    counts = np.bincount(ground_truth.ravel()[split.train])[1:]
    assert counts.tolist() == expected["train_per_class"]


def test_the_three_sets_are_disjoint_and_cover_every_labelled_pixel():
    ground_truth = load_scene("synthetic").ground_truth
    split = draw_split(ground_truth, 7)
    together = np.concatenate(split)
    assert np.array_equal(np.sort(together), np.flatnonzero(ground_truth))
    assert split.val.size == split.train.size


def test_drawing_leaves_the_global_generator_alone():
    ground_truth = load_scene("synthetic").ground_truth
    np.random.seed(5)
    expected = np.random.RandomState(5).randint(1 << 30)
    draw_split(ground_truth, 7)
    assert np.random.randint(1 << 30) == expected


@pytest.mark.parametrize("pixels, count", [(20, 3), (830, 82), (1428, 142), (40, 3), (50, 4)])
def test_the_share_is_a_little_less_than_a_tenth(pixels, count):
    assert training_count(pixels, 0.9) == count


def test_a_class_without_pixels_is_named():
    labels = np.array([[1] * 30 + [3] * 30], np.uint8)
    with pytest.raises(SplitError, match=r"class 2 \(Soybean\) has no labelled pixel"):
        draw_split(labels, 1, class_names=("Corn", "Soybean", "Wheat"))


def test_a_class_with_too_few_pixels_is_named():
    labels = np.array([[1] * 30 + [2] * 3], np.uint8)
    with pytest.raises(SplitError, match="class 2 has 3 labelled pixels; the split draws 3 for training"):
        draw_split(labels, 1)


def test_a_split_that_leaves_nothing_to_test_is_refused():
    labels = np.array([[1] * 6 + [2] * 6], np.uint8)
    with pytest.raises(SplitError, match="only 6 are held out, so none is left to test"):
        draw_split(labels, 1)
