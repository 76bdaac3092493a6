"""The fixed splits: found and verified by the values of their maps, checked against the ground truth, made splits."""

import hashlib
import re

import numpy as np
import pytest
import scipy.io

from shared_data.errors import CatalogueError, SceneNotFoundError, SceneVerificationError, SplitError, UnknownNameError
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import LoadedScene
from shared_data.scenes.mat import read_mat
from shared_data.splits import fixed
from shared_data.splits.draws import index_hash
from shared_data.splits.fixed import (
    FixedSource,
    MapFile,
    fixed_splits,
    how_to_get,
    read_fixed,
    read_fixed_catalogue,
    verify_fixed,
)
from shared_data.splits.given import hold_out_validation

# 20 × 30 pixels: three fields of 10 columns, the last row unlabelled
TRUTH = np.repeat([[1, 2, 3]], 10, axis=1).repeat(20, axis=0).astype(np.uint8)
TRUTH[-1] = 0
TRAIN, TEST = np.zeros_like(TRUTH), np.zeros_like(TRUTH)
TRAIN[:5], TEST[10:-1] = TRUTH[:5], TRUTH[10:-1]
TRAIN[0, 0] = 2  # the ground truth says 1
TRAIN[-1, :4] = 1  # unlabelled
TEST[-1, 7] = 3


@pytest.fixture
def scene(tiny, know):
    """A LoadedScene of TRUTH, known to the catalogue as "fields"."""
    entry = tiny.scene._replace(slug="fields", height=20, width=30)
    know(entry)
    return LoadedScene(entry, np.zeros((20, 30, 2), np.uint16), TRUTH, (), True)


@pytest.fixture
def maps(scene, tmp_path, monkeypatch):
    """The folder of the maps of `fixed-fields`, which the catalogue knows for the duration of a test."""
    folder = tmp_path / "raw" / "splits"
    folder.mkdir(parents=True)
    files = []
    for name, labels in (("fields_train", TRAIN), ("fields_test", TEST)):
        path = folder / (name + ".npy")
        np.save(str(path), labels)
        sha256, content = (hashlib.sha256(part).hexdigest() for part in (path.read_bytes(), labels.tobytes("C")))
        files.append(MapFile(int((labels > 0).sum()), (name + ".npy", name + ".mat", "both.mat"), sha256, content))
    source = FixedSource("fixed-fields", "fields", "Fields", "a library", "some", *files)
    monkeypatch.setattr(fixed, "fixed_splits", lambda: {"fixed-fields": source})
    return folder


def read(scene, maps, seed=0):
    return read_fixed(scene, "fixed-fields", seed, maps.parent)


def test_pixels_outside_of_the_ground_truth_are_left_out_and_everything_is_counted(scene, maps):
    found = read(scene, maps)
    assert set(found.split.train) | set(found.split.val) == set(np.flatnonzero((TRAIN > 0) & (TRUTH > 0)))
    np.testing.assert_array_equal(found.split.test, np.flatnonzero((TEST > 0) & (TRUTH > 0)))
    assert found.facts == {
        "fixed_train_outside_gt": 4,
        "fixed_test_outside_gt": 1,
        "fixed_train_label_differs": 1,
        "fixed_test_label_differs": 0,
        "fixed_gt_unused": 5 * 30,
        "fixed_labels": "ground truth",
        "fixed_val_held_out": 3 * 5,
        # training rows end at 4, test rows are 10 to 18: 1 row of 9 is within 6, rows up to 17 are within 13
        "fixed_test_within_3": 0.0,
        "fixed_test_within_6": 0.1111,
        "fixed_test_within_13": 0.8889,
    }


def test_a_tenth_of_each_class_validates_another_one_for_every_seed(scene, maps):
    first, again, other = (read(scene, maps, seed).split for seed in (0, 0, 1))
    assert np.bincount(TRUTH.ravel()[first.val]).tolist() == [0, 5, 5, 5]
    np.testing.assert_array_equal(first.val, again.val)
    assert set(first.val) != set(other.val)
    np.testing.assert_array_equal(first.test, other.test)
    assert not set(first.val) & set(first.train)
    assert all(part.dtype == np.int64 for part in first)


def test_every_python_and_numpy_holds_out_the_same_pixels(scene, maps):
    split = read(scene, maps, 7).split
    assert [index_hash(part)[:12] for part in split] == ["64dd303480c7", "be42c5e79b28", "cab017e29499"]


def test_a_class_with_two_pixels_gives_one_and_a_class_with_one_gives_none():
    truth = np.array([[1, 1, 2, 3, 3, 3]])
    split = hold_out_validation(np.arange(6), np.zeros(0, int), truth, 0)
    assert np.bincount(truth.ravel()[split.val], minlength=4).tolist() == [0, 1, 0, 1]
    with pytest.raises(SplitError, match="no class has two training pixels"):
        hold_out_validation(np.array([0, 2, 3]), np.zeros(0, int), truth, 0)


def test_the_usual_file_is_verified_by_its_bytes_and_another_form_by_its_values(scene, maps):
    usual = read(scene, maps)
    assert [file.verified_by for file in usual.files] == ["file", "file"]
    for name in ("fields_train.npy", "fields_test.npy"):
        (maps / name).unlink()
    scipy.io.savemat(str(maps / "both.mat"), {"cube": np.ones((4, 4, 3)), "A": TEST.astype(float), "B": TRAIN})
    other = read(scene, maps)
    assert [file.verified_by for file in other.files] == ["content", "content"]
    for part, same in zip(usual.split, other.split):
        np.testing.assert_array_equal(part, same)
    # a run may resume whatever form the same map has
    assert [(file.name, file.identity) for file in usual.files] == [(file.name, file.identity) for file in other.files]


def test_another_map_under_the_name_is_refused_and_a_right_one_in_another_folder_wins(scene, maps, tmp_path):
    other = tmp_path / "other"
    (other / "splits").mkdir(parents=True)
    changed = TRAIN.copy()
    changed[3, 3] = 0
    np.save(str(other / "splits" / "fields_train.npy"), changed)
    np.save(str(other / "splits" / "fields_test.npy"), TEST)
    found = hashlib.sha256(changed.tobytes()).hexdigest()
    with pytest.raises(SceneVerificationError, match="fields_train.npy: found the content sha256 %s" % found):
        verify_fixed("fixed-fields", other)
    assert verify_fixed("fixed-fields", [other, maps.parent])[0].path == str(maps / "fields_train.npy")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x93NUMPY\x01\x00garbage"])
def test_a_damaged_file_is_named(maps, content):
    (maps / "fields_test.npy").write_bytes(content)
    with pytest.raises(SceneVerificationError, match=r"fixed-fields: .*fields_test\.npy cannot be read"):
        verify_fixed("fixed-fields", maps.parent)


def test_where_nothing_is_found_the_message_says_how_to_get_the_maps(maps, tmp_path):
    (maps / "fields_test.npy").unlink()
    with pytest.raises(SceneNotFoundError) as caught:
        verify_fixed("fixed-fields", maps.parent)
    message = str(caught.value)
    assert message.startswith("fixed-fields: fields_test.npy not found in %s. " % maps)
    assert message.endswith(how_to_get("fixed-fields", maps.parent))
    for expected in ("20×30", "154 training", "271 test", "a library", "fields_train and fields_test", str(maps)):
        assert expected in message, expected


def test_a_split_of_another_scene_and_an_unknown_one_are_named(scene, maps):
    other = scene._replace(scene=scene.scene._replace(slug="meadow"))
    with pytest.raises(SplitError, match="fixed-fields is a split of the scene fields, not of meadow"):
        read(other, maps)
    with pytest.raises(UnknownNameError, match="named 'fixed-meadow'; choose one of: fixed-fields"):
        read_fixed(scene, "fixed-meadow", 0)


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("pixels = 695", "pixels = 0", "splits.fixed-695.train.pixels: found 0, expected a whole number that is at"),
        ('sha256 = "0cd2', 'sha265 = "0cd2', "splits.fixed-695.train: unknown key 'sha265'"),
        ("[splits.fixed-695]", "[splits.695]", "expected a name that begins with 'fixed-'"),
        ('names = ["paviau_fixed_test.npy"', 'names = ["../test.npy"', "expected a plain name of a .npy or .mat file"),
    ],
)
def test_a_mistake_in_the_catalogue_is_named(tmp_path, old, new, complaint):
    text = fixed._CATALOGUE_PATH.read_text(encoding="utf-8")
    assert text.count(old) == 1
    (tmp_path / "fixed.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CatalogueError, match=re.escape(complaint)):
        read_fixed_catalogue(tmp_path / "fixed.toml")


def test_a_split_of_an_unknown_scene_is_refused(tmp_path):
    text = fixed._CATALOGUE_PATH.read_text(encoding="utf-8").replace('"houston"', '"boston"')
    (tmp_path / "fixed.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UnknownNameError, match="no scene named 'boston'"):
        read_fixed_catalogue(tmp_path / "fixed.toml")


REAL_TRUTHS = {
    "indianpines": ("Indian_pines_gt.mat", "indian_pines_gt"),
    "pavia": ("PaviaU_gt.mat", "paviaU_gt"),
    "houston": ("Houston2013_gt.npy", None),
}
# train, test, train outside and differing, test outside, labelled but unused; shares within 3, 6 and 13
REAL_FACTS = {
    "fixed-dase": (5689, 4711, 151, 10, 0, 0, (0.5585, 0.9096, 1.0)),
    "fixed-695": (695, 9671, 26, 0, 230, 139, (0.7853, 0.9835, 1.0)),
    "fixed-pavia": (3921, 40002, 1147, 0, 0, 0, (0.0984, 0.2002, 0.4475)),
    "fixed-contest": (2832, 12197, 0, 0, 0, 0, (0.0668, 0.1916, 0.4415)),
}


def test_the_four_splits_exist():
    assert list(fixed_splits()) == list(REAL_FACTS)


@pytest.mark.parametrize("name", list(REAL_FACTS))
def test_the_published_maps_have_the_known_sizes_and_defects(name, real_data):
    entry = fixed_splits()[name]
    file, key = REAL_TRUTHS[entry.scene]
    path = next((folder / file for folder in real_data if (folder / file).is_file()), None)
    if path is None or not any((folder / "splits" / entry.train.names[0]).is_file() for folder in real_data):
        pytest.skip("%s or the maps of %s are not there" % (file, name))
    truth = read_mat(path, key) if key else np.load(str(path))
    scene = get_scene(entry.scene)
    found = read_fixed(LoadedScene(scene, np.zeros(truth.shape + (1,)), truth, (), False), name, 0, real_data)
    train, test, train_outside, differing, test_outside, unused, within = REAL_FACTS[name]
    assert (entry.train.pixels, entry.test.pixels) == (train, test)
    assert len(found.split.train) + len(found.split.val) == train - train_outside
    assert len(found.split.test) == test - test_outside
    assert found.facts["fixed_train_outside_gt"] == train_outside
    assert found.facts["fixed_test_outside_gt"] == test_outside
    assert found.facts["fixed_train_label_differs"] == differing
    assert found.facts["fixed_test_label_differs"] == 0
    assert found.facts["fixed_gt_unused"] == unused
    assert tuple(found.facts["fixed_test_within_%d" % distance] for distance in (3, 6, 13)) == within
    if name == "fixed-dase":
        assert np.count_nonzero(truth.ravel()[found.split.test] == 7) == 2
