"""The reader of the official layout, on tiny files of it that are written here."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from da_imrn_helpers import LEAN

from da_imrn import experiments
from da_imrn.cli import main
from da_imrn.locating import PatchFinder
from da_imrn.method import METHOD
from da_imrn.partition import Rule, draw_partition
from da_imrn.patches import gather, grid_corners, one_hot, op_patches, training_patches, validation_patches
from da_imrn.predata import predata_files, read_predata
from shared_data.errors import SettingsError, SplitError
from shared_data.records.record import read_record
from shared_data.runs.reproduce import reproduce
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import load_split

RULE = Rule(6, 4, 8, 0.02, 0.01, 0, 0)
SCENE = "synthetic"


@pytest.fixture(scope="module")
def loaded():
    return load_scene(SCENE)


def arrays_of(loaded, seed):
    """The eight arrays of a draw as the release stores them, and the draw."""
    partition, classes = (
        draw_partition(loaded.ground_truth, RULE, np.random.RandomState(seed)),
        loaded.scene.num_classes,
    )
    sets = {
        "0train": training_patches(partition, 4, np.random.RandomState(seed)),
        "op": op_patches(partition, 4),
        "0val": validation_patches(partition, 4),
    }
    arrays = {}
    for name, patches in sets.items():
        x, y = ("opx0train", "opy0train") if name == "op" else ("x" + name, "y" + name)
        arrays[x] = gather(loaded.cube, patches.corners, 4, patches.flips).astype(np.float64)
        arrays[y] = one_hot(patches.labels, classes)
    corners = grid_corners(*loaded.ground_truth.shape, 4)
    labels = gather(partition.test_labels[..., None], corners, 4)[..., 0, 0].astype(np.uint8)
    tested = labels.any(axis=(1, 2))
    arrays["x0test"] = gather(loaded.cube, corners[tested], 4)
    arrays["y0test"] = one_hot(labels[tested], classes)
    return arrays, partition


def write(folder, arrays, middle="datawindowsize4", scene="Synthetic"):
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(str(folder / (name + middle + scene + ".npy")), array)


@pytest.fixture
def predata(loaded, tmp_path):
    """A folder of two partitions and of another scene's; the draws."""
    drawn = []
    for number in (1, 2):
        arrays, partition = arrays_of(loaded, number)
        write(tmp_path / "predata" / ("SY_%d" % number), arrays)
        drawn.append(partition)
    other = {name: array[:, :, :, :-1] if "x0" in name else array for name, array in arrays.items()}
    write(tmp_path / "predata" / "AB_1", other)
    return tmp_path / "predata", drawn


def read(folder, loaded, number=1):
    return read_predata(predata_files(folder, 4, number, loaded.scene.bands), loaded, 4)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("inside", ["", "SY_%d"])
def test_a_partition_is_read_as_it_was_drawn(predata, loaded, number, inside):
    folder, drawn = predata
    found, expected = read(folder / (inside % number if inside else ""), loaded, number), drawn[number - 1]
    assert found.facts == {"partition": "shipped"}
    training_set = training_patches(expected, 4, np.random.RandomState(number))
    again = training_patches(found, 4, np.random.RandomState(99))
    assert all(np.array_equal(left, right) for left, right in zip(again, training_set))
    for make in (op_patches, validation_patches):
        assert all(np.array_equal(left, right) for left, right in zip(make(found, 4), make(expected, 4)))
    assert np.array_equal(found.test_labels, expected.test_labels)
    assert np.array_equal(found.val_map > 0, expected.val_map > 0)
    trained = np.zeros_like(found.train_map)
    for (row, column), labels in zip(again.corners[::2], again.labels[::2]):
        trained[row : row + 4, column : column + 4] |= labels
    assert np.array_equal(found.train_map, trained)
    assert not ((found.train_map > 0) & (found.op_map > 0)).any() and found.op_map.any()


@pytest.mark.stack_independent
@pytest.mark.slow
def test_a_run_on_it_says_so(predata, loaded, request_for, tmp_path):
    folder, drawn = predata
    request = request_for(protocol="released", seed=2, overrides=("train.epochs=1",), out=tmp_path / "out")
    outcome = reproduce(METHOD, request._replace(predata=str(folder)))
    record = read_record(outcome.directory / "run.json")
    assert record["audit"]["partition"] == "shipped" and record["data_verified"] is False
    files = {file["name"]: file for file in record["data"]}
    assert len(files) == 8 and "predata/x0traindatawindowsize4Synthetic.npy" in files
    split = load_split(outcome.directory / "split.npz")
    assert np.array_equal(split.test, np.flatnonzero(drawn[1].test_labels))
    assert record["split"]["test"]["size"] == split.test.size and record["audit"]["op_pixels"] > 0
    # with other files it is another run
    np.save(str(next((folder / "SY_2").glob("opx0train*"))), np.zeros(3))
    assert METHOD.resolve(request._replace(predata=str(folder)))[1].files != METHOD.resolve(request)[1].files


def change(folder, kind, how):
    path = next(folder.glob(kind + "*"))
    array = np.load(str(path))
    np.save(str(path), how(array))
    return path


def altered(array, place, value):
    result = array.copy()
    result[place] = value
    return result


WRONG = [
    ("x0val", lambda x: altered(x, (3, 1, 1, 0, 0), 1e6), "but patch 3 is at no place of the scene"),
    ("x0test", lambda x: x[:, ::-1], "but patch 0 is at no place of the scene"),
    ("x0train", lambda x: x[:-1], "found"),
    ("x0train", lambda x: altered(x, 1, x[2]), "expected patch 1 to be the one before it, turned"),
    ("opx0train", lambda x: x[::-1], "expected the patches of x0train.* without their copies"),
    ("y0val", lambda y: y[..., ::-1], "expected the ground truth's labels .* found others in patch 0"),
    ("opy0train", lambda y: y[..., ::-1], "expected the ground truth's labels .* found others in patch 0"),
    ("y0test", lambda y: y * 2, "expected one-hot labels, or zeros where unlabelled"),
    ("y0test", lambda y: y[..., :-1], r"expected an array of shape \(N, 4, 4, 1, 9\)"),
    ("x0test", lambda x: x[..., 0], "expected an array of shape"),
    ("x0test", lambda x: x[:0], "expected an array of shape"),
    ("y0val", lambda y: y[:-1], "patches as in x0val"),
    ("y0val", lambda y: y.astype(object), "expected an array of numbers as numpy.save writes it"),
]


@pytest.mark.parametrize("kind, how, expected", WRONG)
def test_a_wrong_file_is_one_sentence_with_its_path(predata, loaded, kind, how, expected):
    folder, _ = predata
    path = change(folder / "SY_1", kind, how)
    with pytest.raises(SplitError, match=expected) as caught:
        read(folder, loaded)
    assert str(path.parent) in str(caught.value) and "\n" not in str(caught.value)


def test_test_patches_beside_the_grid_are_refused(predata, loaded):
    folder, drawn = predata
    x, y = (next((folder / "SY_1").glob(kind + "*")) for kind in ("x0test", "y0test"))
    corner = np.argwhere(drawn[0].test_labels[:-4, 1:-4])[0] // 4 * 4 + [0, 1]
    np.save(str(x), gather(loaded.cube, corner[None], 4))
    labels = gather(drawn[0].test_labels[..., None], corner[None], 4)[..., 0, 0].astype(np.uint8)
    np.save(str(y), one_hot(labels, loaded.scene.num_classes))
    with pytest.raises(SplitError, match="expected patches on the grid of 4 pixels, found patch 0 beside it"):
        read(folder, loaded)


def test_sets_that_share_a_pixel_are_refused(predata, loaded):
    folder, _ = predata
    for axis in "xy":
        train = np.load(str(next((folder / "SY_1").glob(axis + "0train*"))))
        change(folder / "SY_1", axis + "0val", lambda _, train=train: train[:2:2])
    with pytest.raises(SplitError, match="some of its labels are those of the set train, too"):
        read(folder, loaded)


def test_missing_and_doubled_files_and_folders(predata, loaded, tmp_path):
    folder, _ = predata
    with pytest.raises(SplitError, match="ends in _3, found none"):
        read(folder, loaded, 3)
    with pytest.raises(SplitError, match="shipped the partitions 1 to 5, not 6"):
        read(folder, loaded, 6)
    with pytest.raises(SplitError, match="nowhere: expected the folder of the official predata"):
        read(tmp_path / "nowhere", loaded)
    path = next((folder / "SY_1").glob("y0val*"))
    path.rename(path.with_name("y0valdatawindowsize8Synthetic.npy"))
    with pytest.raises(SplitError, match=r"SY_1: expected one file y0val\*windowsize4\*.npy, found none"):
        read(folder, loaded)
    for middle in ("a", "b"):
        np.save(str(path.with_name("y0val%swindowsize4Synthetic.npy" % middle)), np.zeros(3))
    with pytest.raises(SplitError, match="found y0valawindowsize4Synthetic"):
        read(folder, loaded)
    (folder / "SY_2").rename(folder / "TY_1")
    with pytest.raises(SplitError, match="expected one folder of this scene whose name ends in _1, found SY_1, TY_1"):
        read(folder, loaded)


def test_other_protocols_refuse_it(predata, request_for):
    folder, _ = predata
    for protocol in ("paper", "disjoint"):
        with pytest.raises(SettingsError, match="the protocol %s does not use the predata" % protocol):
            METHOD.resolve(request_for(protocol=protocol)._replace(predata=str(folder)))


def test_the_option_of_the_command_line(predata, capsys, tmp_path):
    words = ["reproduce", SCENE, "--device", "cpu", "--out", str(tmp_path / "out"), "--protocol", "released"]
    for override in LEAN:
        words += ["--set", override]
    assert main([*words, "--seed", "4", "--predata", str(predata[0])]) == 1
    assert "ends in _4, found none" in capsys.readouterr().err


def test_make_passes_it_to_the_run(tmp_path):
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / "Makefile").exists() or sys.version_info < (3, 8):
        pytest.skip("make's recipes are the same for every stack")
    folder = tmp_path / "a folder"
    words = ["make", "-n", "run-da-imrn", "CONFIGURATION=indianpines", "PREDATA=%s" % folder]
    shown = subprocess.run(words, cwd=str(checkout), stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
    assert '--predata "$PREDATA"' in shown


def test_a_patch_at_several_places_is_refused():
    cube = np.zeros((5, 4, 2), np.uint16)
    cube[2, 2] = 7
    finder = PatchFinder(cube)
    assert finder.find(cube[None, 1:3, 1:3].astype(float)).tolist() == [[1, 1]]
    with pytest.raises(ValueError, match="patch 0 is at several places of the scene"):
        finder.find(np.zeros((1, 1, 1, 2)))
    assert finder.find(np.zeros((0, 2, 2, 2))).shape == (0, 2)


def test_where_the_labels_differ_the_configuration_does_not_matter(predata, loaded):
    """The partition is that of the files, whatever the shares of a draw."""
    folder, drawn = predata
    config = experiments.load(SCENE, ("partition.released.train=0.5",))
    found = experiments.find_predata(str(folder), config, "released", loaded.scene.bands, 1)
    partition = experiments.partition_for(config, "released", loaded, 1, found)
    assert np.array_equal(partition.test_labels, drawn[0].test_labels)
