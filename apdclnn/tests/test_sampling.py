"""R2: sizes, shares, disjoint sets, hidden labels; the order of mini-batches; R1's scaling; patches."""

import numpy as np
import pytest

from apdclnn.patches import PatchTable
from apdclnn.preprocessing import scaled
from apdclnn.sampling import MinibatchStream, draw_split, targets_of
from apdclnn.tf_stack import tf
from shared_data.errors import SplitError
from shared_data.preprocessing.principal_components import whiten
from shared_data.splits.draws import draw_per_class, training_counts

COUNTS = (400, 37, 6, 121)


@pytest.fixture
def truth():
    labels = np.concatenate([np.full(count, label) for label, count in enumerate(COUNTS, start=1)] + [np.zeros(60)])
    return np.random.RandomState(0).permutation(labels).reshape(24, 26).astype(np.uint8)


def test_a_share_of_every_class_and_at_least_five(truth):
    split = draw_split(truth, 0.05, 5, 0.1, seed=3)
    per_class = [np.bincount(truth.ravel()[part], minlength=5)[1:].tolist() for part in split]
    assert per_class == [[18, 4, 4, 6], [2, 1, 1, 1], [380, 32, 1, 114]]
    everything = np.concatenate(split)
    assert np.array_equal(np.sort(everything), np.flatnonzero(truth))


def test_training_and_validation_pixels_are_the_training_pixels_of_the_class_wise_draw(truth):
    split = draw_split(truth, 0.05, 5, 0.1, seed=3)
    drawn = draw_per_class(truth, training_counts(truth, 0.05, 5), seed=3)
    assert set(split.train) | set(split.val) == set(drawn.train)
    assert np.array_equal(split.test, drawn.test)


def test_the_seed_decides(truth):
    one, same, other = (draw_split(truth, 0.05, 5, 0.1, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same)) and not np.array_equal(one.train, other.train)


def test_a_class_with_too_few_pixels_is_named(truth):
    truth[np.unravel_index(np.flatnonzero(truth == 3)[:3], truth.shape)] = 0
    with pytest.raises(SplitError, match=r"class 3 \(Oats\) has 3 labelled pixels"):
        draw_split(truth, 0.05, 5, 0.1, 1, ["Corn", "Grass", "Oats", "Wheat"])


def test_an_epoch_holds_every_training_pixel_once_with_its_class(truth):
    split = draw_split(truth, 0.05, 5, 0.1, seed=3)
    stream = MinibatchStream(truth, split.train, 10, seed=3)
    epochs = [[(p.copy(), t) for p, t in stream] for _ in range(2)]
    for epoch in epochs:
        pixels, targets = (np.concatenate(parts) for parts in zip(*epoch))
        assert sorted(pixels) == sorted(split.train) and np.array_equal(targets, targets_of(truth, pixels))
    assert [len(p) for p, _ in epochs[0]] == [10, 10, 10, 2] and len(stream) == 4
    assert not np.array_equal(epochs[0][0][0], epochs[1][0][0])


def test_scaling_to_zero_and_one():
    cube = np.array([[[-3, 5], [13, 1]]], np.int16)
    assert scaled(cube).tolist() == [[[0, 0.5], [1, 0.25]]] and scaled(cube).dtype == np.float32
    assert not scaled(np.full((2, 2, 3), 7)).any()


def test_components_are_standardised_and_no_more_than_bands():
    cube = np.random.RandomState(0).uniform(size=(20, 20, 6)).astype(np.float32)
    found = whiten(cube, None, 4).reshape(-1, 4)
    assert found.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-4)
    assert np.cov(found.T, bias=True) == pytest.approx(np.eye(4), abs=1e-3)
    with pytest.raises(ValueError, match="6 bands"):
        whiten(cube, None, 7)


def test_patches_are_those_of_the_zero_padded_scene():
    features = np.random.RandomState(0).standard_normal((7, 6, 3)).astype(np.float32)
    padded = np.pad(features, ((2, 2), (2, 2), (0, 0)), "constant")
    with tf.Graph().as_default(), tf.Session() as session:
        table = PatchTable(features, 5)
        pixels = tf.placeholder(tf.int32, (None,))
        patches = table(pixels)
        table.fill(session)
        found = session.run(patches, {pixels: np.arange(42)})
    for pixel in range(42):
        row, column = divmod(pixel, 6)
        assert np.array_equal(found[pixel], padded[row : row + 5, column : column + 5])


def test_an_even_patch_is_refused():
    with tf.Graph().as_default(), pytest.raises(ValueError, match="must be odd"):
        PatchTable(np.zeros((5, 5, 1), np.float32), 4)
