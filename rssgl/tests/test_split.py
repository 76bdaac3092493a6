"""The split of both protocols: the official draw, and the validation part of its training pixels."""

import os

import numpy as np
import pytest
from rssgl_helpers import GOLDEN

from contracts.golden import read_golden
from rssgl.split import draw_release_split, hold_out
from shared_data.errors import SplitError
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import load_scene
from shared_data.scenes.mat import read_mat
from shared_data.splits.draws import Split, index_hash


@pytest.mark.parametrize("slug, scene, ratio, name", [
    ("indianpines", "indian_pines", 0.05, "percent_0.05_seed2333"),
    ("pavia", "pavia_university", 0.01, "percent_0.01_seed2333"),
    ("salinas", "salinas", 0.01, "percent_0.01_seed2333"),
])  # fmt: skip
def test_official_split_and_its_held_out_part(slug, scene, ratio, name):
    folder, file = os.environ.get("HSI_DATA"), get_scene(slug).ground_truth
    if not folder or not os.path.exists(os.path.join(folder, file.name)):
        pytest.skip("needs %s in HSI_DATA" % file.name)
    truth = read_mat(os.path.join(folder, file.name), file.key)
    loaded = load_scene("synthetic")._replace(scene=get_scene(slug), ground_truth=truth)
    released, paper = (draw_release_split(loaded, ratio, 5, 2333, share) for share in (0.0, 0.1))
    expected = read_golden(GOLDEN, "splits")[scene][name]
    assert index_hash(released.train) == expected["train_sha256"] and released.val.size == 0
    per_class = np.bincount(truth.ravel()[paper.val])[1:]
    assert per_class.tolist() == [max(1, round(0.1 * n)) for n in expected["train_per_class"]]
    assert index_hash(np.concatenate([paper.train, paper.val])) == expected["train_sha256"]
    assert np.array_equal(paper.test, released.test)


def test_the_last_pixels_of_every_class_in_drawing_order_are_held_out():
    truth = np.array([[1] * 25 + [2] * 6], np.uint8)
    train = np.array([24, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 2, 4, 6, 8, 10, 12, 14, 16, 18] + [30, 25, 27, 26, 29])
    split = hold_out(Split(train, train[:0], np.array([0])), truth, 0.1)
    assert split.val.tolist() == [16, 18, 29]
    assert split.train.tolist() == train[:18].tolist() + [30, 25, 27, 26]


def test_a_class_that_would_keep_no_training_pixel_is_named():
    truth = np.array([[1, 1, 2, 2]], np.uint8)
    split = Split(np.array([0, 1, 2]), np.zeros(0, int), np.array([3]))
    with pytest.raises(SplitError, match=r"class 2 has 1 training pixel\(s\); 1 are held out"):
        hold_out(split, truth, 0.1)
