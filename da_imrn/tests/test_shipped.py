"""The recovered partitions: the published sizes, what they keep apart, and bit for bit the arrays at hand."""

import os

import numpy as np
import pytest
from test_partition import ground_truth_of, rule_of

from da_imrn import experiments, shipped
from da_imrn.labels import split_of
from da_imrn.method import METHOD
from da_imrn.partition_audit import audit
from da_imrn.patches import gather, grid_corners, op_patches, training_patches, validation_patches
from da_imrn.shipped import RECOVERED, TESTED, TRAINED, VALIDATED, recovered_partition, truth_sha256
from shared_data.errors import SplitError
from shared_data.files.npz import read_npz
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene

# of the files that the authors published, partition by partition
SIZES = {
    "test_pixels": (4490, 4537, 4573, 4593, 4560),
    "test_patches": (611, 610, 616, 614, 599),
    "val_pixels": (1139, 1179, 1123, 1122, 1159),
    "val_patches": (611, 599, 590, 623, 587),
    "training_patches": (1768, 1772, 1782, 1774, 1752),
    "op_patches": (884, 886, 891, 887, 876),
}
NUMBERS = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def stored():
    return read_npz(RECOVERED)


def official():
    """Indian Pines from HSI_DATA, or skip."""
    ground_truth_of("indianpines")
    return load_scene("indianpines")


@pytest.mark.parametrize("number", NUMBERS)
def test_the_committed_file_has_the_published_sizes(stored, number):
    """Without the scene: everything but the number of test patches, which follow from the places of test pixels."""
    sets = stored["sets_%d" % number]
    expected = {name: sizes[number - 1] for name, sizes in SIZES.items()}
    assert sets.shape == (145, 145) and np.count_nonzero(sets) == 10249
    assert np.count_nonzero(sets == TESTED) == expected["test_pixels"]
    assert np.count_nonzero(sets == VALIDATED) == expected["val_pixels"]
    tiles = sets[:144, :144].reshape(36, 4, 36, 4) == TESTED
    assert tiles.any(axis=(1, 3)).sum() == expected["test_patches"] and not (sets[144] == TESTED).any()
    assert len(stored["val_places_%d" % number]) == expected["val_patches"]
    kept = stored["patches_%d" % number].sum()
    assert (2 * kept, kept) == (expected["training_patches"], expected["op_patches"])
    assert len(stored["flips_%d" % number]) == kept and len(stored["placed_%d" % number]) > 190


def test_the_committed_file_holds_no_values_of_the_scene(stored):
    """Places, labels' bits and hashes are small; one of the 200 bands alone would take 40 kB."""
    assert RECOVERED.stat().st_size < 40000
    numbers = [part for name, part in stored.items() if name != "truth_sha256"]
    assert all(part.dtype in (np.uint8, bool) and part.size <= 145 * 145 for part in numbers)


@pytest.mark.parametrize("number", NUMBERS)
def test_what_a_recovered_partition_keeps_apart(number):
    truth = ground_truth_of("indianpines")
    partition = recovered_partition(truth, number)
    rule, _, _ = rule_of("indianpines", "released")
    found = audit(partition, rule)
    assert found["partition"] == "recovered" and found["draws"] == 0
    assert found["patches_placed"] > 300 and found["patches_drawn"] > 300
    assert found["patches_placed"] + found["patches_drawn"] == SIZES["op_patches"][number - 1]
    for name in ("test_pixels", "test_patches", "val_pixels", "training_patches"):
        assert found[name] == SIZES[name][number - 1], name
    for name in ("that_train", "that_validate", "in_training_windows"):
        assert found["test_pixels_" + name] == 0
    # every labelled pixel is in a window, validated or tested
    in_window = np.zeros(truth.shape, bool)
    for row, column in partition.corners:
        in_window[row : row + 6, column : column + 6] = True
    sets = read_npz(RECOVERED)["sets_%d" % number]
    assert np.array_equal(truth > 0, sets > 0)
    inside = (sets == TRAINED) & in_window
    # the others are those that windows cut by the border blanked
    assert np.count_nonzero((sets == TRAINED) & ~inside) < 100
    assert not (in_window & (sets > TRAINED)).any()
    assert ((partition.labels > 0).sum(axis=(1, 2)) <= 8).all()
    assert rule.lowest <= np.count_nonzero(partition.train_map) <= rule.highest


@pytest.mark.parametrize("number", NUMBERS)
def test_its_patches_are_the_shipped_ones_bit_for_bit(number):
    loaded = official()
    path = os.path.join(os.environ["HSI_DATA"], "da_imrn_partitions", "IP_%d.npz" % number)
    if not os.path.exists(path):
        pytest.skip("needs da_imrn_partitions in HSI_DATA")
    arrays, partition = read_npz(path), recovered_partition(loaded.ground_truth, number)
    training_set = training_patches(partition, 4, np.random.RandomState(0))
    validation = validation_patches(partition, 4)
    assert np.array_equal(training_set.labels, arrays["y0train"])
    assert np.array_equal(op_patches(partition, 4).labels, arrays["opy0train"])
    assert np.array_equal(validation.labels, arrays["y0val"])
    assert np.array_equal(gather(loaded.cube, validation.corners, 4)[..., 0], arrays["x0val"])
    corners = grid_corners(145, 145, 4)
    labels = gather(partition.test_labels[..., None], corners, 4)[..., 0, 0]
    tested = labels.any(axis=(1, 2))
    assert np.array_equal(labels[tested], arrays["y0test"])
    assert np.array_equal(gather(loaded.cube, corners[tested], 4)[..., 0], arrays["x0test"])


def request(**changes):
    values = Request("indianpines", "released", 2, None, False, "cpu", None, (), "unused", False)
    return values._replace(**changes)


def origin_of(**changes):
    asked = request(**changes)
    configuration, loaded = METHOD.resolve(asked)
    return METHOD.draw(loaded, configuration, asked.seed).plan.facts["partition"]


def test_which_runs_use_it():
    official()
    assert origin_of() == origin_of(seed=5) == "recovered"
    assert origin_of(seed=6) == origin_of(seed=0) == origin_of(protocol="paper") == "drawn"
    # who changes the rule of the draw asks for a draw
    assert origin_of(overrides=("partition.released.train=0.15",)) == "drawn"
    assert origin_of(overrides=("train.epochs=3",)) == "recovered"
    assert origin_of(experiment="synthetic") == "drawn"


def test_other_labels_are_drawn():
    truth = ground_truth_of("indianpines").copy()
    truth[0, 0] = 5 if truth[0, 0] != 5 else 6
    assert recovered_partition(truth, 1) is None


def test_the_hash_is_that_of_the_labels_in_c_order(stored):
    truth = np.arange(12, dtype=np.int64).reshape(3, 4)
    assert truth_sha256(truth) == truth_sha256(np.asfortranarray(truth.astype(np.uint8))) != truth_sha256(truth.T)
    assert len(str(stored["truth_sha256"])) == 64


def test_a_damaged_file_is_one_sentence(monkeypatch, tmp_path):
    path = tmp_path / "indianpines.npz"
    path.write_bytes(b"PK")
    monkeypatch.setattr(shipped, "RECOVERED", path)
    with pytest.raises(SplitError, match=r"indianpines\.npz: expected the recovered partitions, found"):
        recovered_partition(np.ones((3, 3), np.uint8), 1)


def test_the_split_of_a_run_is_that_of_the_shipped_partition():
    loaded = official()
    config = experiments.load("indianpines")
    partition = experiments.partition_for(config, "released", loaded, 3)
    split = split_of(partition, 4, "grid")
    assert [len(part) for part in (split.test, split.val)] == [SIZES["test_pixels"][2], SIZES["val_pixels"][2]]
    assert np.unique(np.concatenate(split)).size == sum(map(len, split))
