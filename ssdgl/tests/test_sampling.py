"""The split and the mini-batches against the official hashes."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from contracts.golden import read_golden
from shared_data.errors import SplitError
from shared_data.preprocessing.standardise import pad_labels
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import load_scene
from shared_data.scenes.mat import read_mat
from shared_data.splits.draws import draw_per_class, index_hash, training_counts
from ssdgl.sampling import MinibatchStream, epoch_indices

GOLDEN = Path(__file__).parent / "golden"

SCENES = {"indianpines": "indian_pines", "pavia": "pavia_university", "salinas": "salinas"}


def official_ground_truth(slug: str) -> np.ndarray:
    """The official label map, or skip where HSI_DATA does not hold it."""
    folder = os.environ.get("HSI_DATA")
    file = get_scene(slug).ground_truth
    if not folder or not os.path.exists(os.path.join(folder, file.name)):
        pytest.skip("needs %s in HSI_DATA" % file.name)
    return read_mat(os.path.join(folder, file.name), file.key)


@pytest.mark.parametrize("slug", sorted(SCENES))
@pytest.mark.parametrize("name, ratio, minimum", [
    ("percent_0.05_seed2333", 0.05, 5), ("percent_0.01_seed2333", 0.01, 5), ("per_class_10_seed2333", 0.0, 10),
])  # fmt: skip
def test_split_hashes(slug, name, ratio, minimum):
    expected = read_golden(GOLDEN, "splits")[SCENES[slug]][name]
    ground_truth = official_ground_truth(slug)
    split = draw_per_class(ground_truth, training_counts(ground_truth, ratio, minimum), 2333)
    assert split.train.size == expected["train"]
    assert split.train[:10].tolist() == expected["first10"]
    assert index_hash(split.train) == expected["train_sha256"]
    if "test_sha256" in expected:
        assert index_hash(split.test) == expected["test_sha256"]
    assert np.intersect1d(split.train, split.test).size == 0


def stream_of(ground_truth: np.ndarray, ratio: float = 0.05, per_class: int = 10) -> MinibatchStream:
    split = draw_per_class(ground_truth, training_counts(ground_truth, ratio, 5), 2333)
    train = np.zeros(ground_truth.shape, np.uint8)
    train.ravel()[split.train] = 1
    labels = torch.from_numpy(pad_labels(ground_truth, 16))[None]
    return MinibatchStream(torch.zeros(1, 2, *labels.shape[1:]), labels, pad_labels(train, 16) > 0, per_class, 20, 2333)


def test_drawing_and_order_of_two_epochs():
    """The golden file holds what a loader without worker processes yields: the seed consumed at an epoch's start."""
    golden = read_golden(GOLDEN, "ssdgl_minibatches")
    ground_truth = official_ground_truth("indianpines")
    stream = stream_of(ground_truth)
    split = draw_per_class(ground_truth, training_counts(ground_truth, 0.05, 5), 2333)
    train = np.zeros(ground_truth.shape, np.uint8)
    train.ravel()[split.train] = 1
    padded = pad_labels(ground_truth, 16)
    for number in (1, 2):
        expected = golden["epoch_%d" % number]
        drawn = epoch_indices(padded, pad_labels(train, 16) > 0, 10, 20, expected["seed"])
        images = np.zeros((20, padded.size), np.uint8)
        for image, indices in zip(images, drawn):
            image[indices] = 1
        assert hashlib.sha256(images.tobytes()).hexdigest() == expected["sha256_uint8_C_before_ordering"]

        own = epoch_indices(padded, pad_labels(train, 16) > 0, 10, 20, stream.seed_of_epoch(number))
        visited = [np.flatnonzero(w.numpy()) for _, _, w in stream]
        ordered = [np.sort(own[index]) for index in expected["order"]]
        assert all(np.array_equal(a, b) for a, b in zip(visited, ordered))


def test_an_epoch_trains_on_the_seed_consumed_one_epoch_earlier():
    golden = read_golden(GOLDEN, "ssdgl_minibatches")
    stream = stream_of(load_scene("synthetic").ground_truth)
    consumed = [golden["first_seed_consumed_at_construction"], golden["epoch_1"]["seed"], golden["epoch_2"]["seed"]]
    assert [stream.seed_of_epoch(epoch) for epoch in (1, 2, 3)] == consumed


def test_the_seeds_begin_again_after_the_last_one():
    stream = stream_of(load_scene("synthetic").ground_truth)
    assert [stream.seed_of_epoch(epoch) for epoch in (10000, 10001)] == [
        stream.seed_of_epoch(epoch) for epoch in (1, 2)
    ]
    assert len({stream.seed_of_epoch(epoch) for epoch in range(1, 10000)}) > 9990


def test_minibatches_are_the_same_where_only_training_labels_are_known():
    ground_truth = load_scene("synthetic").ground_truth
    split = draw_per_class(ground_truth, training_counts(ground_truth, 0.05, 5), 2333)
    train = np.zeros(ground_truth.shape, bool)
    train.ravel()[split.train] = True
    known, hidden = epoch_indices(ground_truth, train, 10, 3, 5), epoch_indices(ground_truth * train, train, 10, 3, 5)
    assert all(np.array_equal(a, b) for a, b in zip(known, hidden))


def test_position_inside_an_epoch_is_restored():
    ground_truth, through = load_scene("synthetic").ground_truth, []
    whole, broken, resumed = stream_of(ground_truth), stream_of(ground_truth), stream_of(ground_truth)
    for _ in range(2):
        through += [w for _, _, w in whole]
    first = [w for _, _, w in broken]
    iterator = iter(broken)
    first += [next(iterator)[2] for _ in range(7)]
    resumed.load_state_dict(broken.state_dict())
    rest = [w for _, _, w in resumed]
    assert len(first) + len(rest) == len(through)
    assert all(torch.equal(a, b) for a, b in zip(first + rest, through))


def test_every_image_holds_at_most_per_class_pixels_of_each_class_and_only_training_pixels():
    ground_truth = load_scene("synthetic").ground_truth
    split = draw_per_class(ground_truth, training_counts(ground_truth, 0.05, 5), 1)
    train = np.zeros(ground_truth.shape, bool)
    train.ravel()[split.train] = True
    for indices in epoch_indices(ground_truth, train, 7, 3, seed=5):
        assert train.ravel()[indices].all()
        counts = np.bincount(ground_truth.ravel()[indices], minlength=10)
        available = np.bincount(ground_truth[train], minlength=10)
        assert counts.tolist() == np.minimum(available, 7).tolist()


def test_all_pixels_are_taken_where_per_class_is_none():
    ground_truth = load_scene("synthetic").ground_truth
    train = ground_truth == 3
    first, second = epoch_indices(ground_truth, train, None, 2, seed=5)
    assert set(first) == set(second) == set(np.flatnonzero(train))


def test_a_class_without_pixels_is_named():
    labels = np.array([[1, 1, 1, 3, 3, 3]], np.uint8)
    with pytest.raises(SplitError, match=r"class 2 \(Soybean\) has no labelled pixel"):
        training_counts(labels, 0.0, 1, ("Corn", "Soybean", "Wheat"))


def test_a_class_with_too_few_pixels_is_named():
    labels = np.array([[1] * 20 + [2] * 5], np.uint8)
    with pytest.raises(SplitError, match="class 2 has 5 labelled pixels; the split draws 5 for training"):
        training_counts(labels, 0.05, 5)
