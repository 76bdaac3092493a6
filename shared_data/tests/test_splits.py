"""Splits: reproducible draws, identical to the releases' on the real ground truths."""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from shared_data.errors import SplitError
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.mat import read_mat
from shared_data.splits.draws import (
    Split,
    describe,
    draw_per_class,
    index_hash,
    load_split,
    save_split,
    training_counts,
)

GOLDEN = json.loads((Path(__file__).parent / "golden" / "splits.json").read_text(encoding="utf-8"))
TRUTH = np.random.RandomState(3).randint(0, 4, (20, 30)).astype(np.uint8)


def test_index_hash_is_over_sorted_little_endian_int64():
    expected = hashlib.sha256(struct.pack("<4q", 0, 3, 7, 70000)).hexdigest()
    assert index_hash(np.array([7, 70000, 0, 3])) == expected
    assert index_hash(np.array([3, 0, 7, 70000], dtype=">i4")) == expected


def test_the_draw_is_deterministic_disjoint_and_covers_every_labelled_pixel():
    split = draw_per_class(TRUTH, [10, 20, 30], seed=5)
    for part, again in zip(split, draw_per_class(TRUTH, [10, 20, 30], seed=5)):
        np.testing.assert_array_equal(part, again)
    assert not np.array_equal(split.train, draw_per_class(TRUTH, [10, 20, 30], seed=6).train)
    assert split.val.size == 0
    np.testing.assert_array_equal(np.sort(np.concatenate(split)), np.flatnonzero(TRUTH))
    assert np.bincount(TRUTH.ravel()[split.train]).tolist() == [0, 10, 20, 30]


def test_the_draw_leaves_the_global_generator_alone():
    np.random.seed(1)
    expected = np.random.random_sample()
    np.random.seed(1)
    draw_per_class(TRUTH, [1, 1, 1], seed=5)
    assert np.random.random_sample() == expected


def test_training_counts_are_rounded_up_and_have_a_minimum():
    truth = np.repeat([0, 1, 2, 3], [50, 101, 20, 6])
    assert training_counts(truth, ratio=0.1, minimum=5) == [11, 5, 5]
    assert training_counts(truth, ratio=0.0, minimum=3) == [3, 3, 3]


def test_a_class_without_pixels_is_named_with_what_to_do():
    truth = np.repeat([1, 3], [20, 20])
    with pytest.raises(SplitError, match=r"class 2 \(Trees\) has no labelled pixel"):
        training_counts(truth, 0.1, 5, ("Water", "Trees", "Roofs"))
    with pytest.raises(SplitError, match=r"class 4 \(Roads\) has no labelled pixel.*--ignore=.*labels\.unlabelled"):
        training_counts(np.repeat([1, 2, 3], 20), 0.1, 5, ("Water", "Trees", "Roofs", "Roads"))


@pytest.mark.parametrize("has", [1, 4, 5])
def test_a_class_with_too_few_pixels_is_named(has):
    expected = r"class 2 has %d labelled pixels; the split draws 5 for training and needs at least one more" % has
    with pytest.raises(SplitError, match=expected):
        training_counts(np.repeat([1, 2], [20, has]), 0.1, 5)
    assert training_counts(np.repeat([1, 2], [20, 6]), 0.1, 5) == [5, 5]


def test_description_counts_and_hashes_each_set():
    split = Split(np.array([5, 1]), np.zeros(0, np.int64), np.array([2]))
    described = describe(split, np.array([[0, 1, 2], [0, 0, 1]]), num_classes=3)
    assert described["train"] == {"size": 2, "sha256": index_hash(np.array([1, 5])), "per_class": [2, 0, 0]}
    assert described["val"] == {"size": 0, "sha256": hashlib.sha256(b"").hexdigest(), "per_class": [0, 0, 0]}
    assert described["test"]["per_class"] == [0, 1, 0]


def test_a_saved_split_is_loaded_in_drawing_order(tmp_path):
    split = draw_per_class(TRUTH, [10, 20, 30], seed=5)
    save_split(tmp_path / "split.npz", split)
    for part, loaded in zip(split, load_split(tmp_path / "split.npz")):
        assert loaded.dtype == np.int64
        np.testing.assert_array_equal(part, loaded)
    assert [path.name for path in tmp_path.iterdir()] == ["split.npz"]


def test_pickled_objects_are_not_loaded(tmp_path):
    objects = np.array([{}], dtype=object)
    np.savez(str(tmp_path / "split.npz"), train=objects, val=objects, test=objects)
    with pytest.raises(SplitError, match=r"split\.npz cannot be read as a split: it holds pickled objects"):
        load_split(tmp_path / "split.npz")


@pytest.mark.parametrize(
    "slug, name", [("indianpines", "indian_pines"), ("pavia", "pavia_university"), ("salinas", "salinas")]
)
def test_draws_on_real_ground_truth_are_the_releases(real_data, slug, name):
    file = get_scene(slug).ground_truth
    paths = [folder / file.name for folder in real_data if (folder / file.name).exists()]
    if not paths:
        pytest.skip("%s is in none of the folders of HSI_DATA" % file.name)
    truth, golden = read_mat(paths[0], file.key), GOLDEN[name]
    assert hashlib.sha256(truth.astype("<i8").tobytes()).hexdigest() == golden["gt_sha256_int64_C"]
    for ratio, minimum, key in ((0.05, 5, "percent_0.05"), (0.01, 5, "percent_0.01"), (0, 10, "per_class_10")):
        expected = golden[key + "_seed2333"]
        split = draw_per_class(truth, training_counts(truth, ratio, minimum), seed=2333)
        assert split.train[:10].tolist() == expected["first10"]
        assert split.train.size == expected["train"]
        assert index_hash(split.train) == expected["train_sha256"]
        if "test" in expected:
            assert (split.test.size, index_hash(split.test)) == (expected["test"], expected["test_sha256"])
