"""The description of a saved model: written, read back, checked; and what predicting with one leaves."""

import json

import numpy as np
import pytest

from shared_data.errors import CheckpointError
from shared_data.records.prediction_file import read_prediction_file
from shared_data.runs import model_file, npz_checkpoint
from shared_data.runs.model_file import prediction_folder
from shared_data.runs.outputs import write_classified
from shared_data.runs.request import Configuration, Request
from shared_data.scenes.loading import file_sha256, load_scene
from shared_data.splits.draws import Split
from shared_data.splits.labels import labels_of

ARRAYS = {"mean": np.arange(64.0), "axes": np.eye(64, 3)}


def request_into(out, **changes):
    return Request("synthetic", "paper", 3, None, False, "cpu", None, (), out, False)._replace(**changes)


@pytest.fixture
def loaded():
    return load_scene("synthetic")


@pytest.fixture
def model(loaded):
    labelled = np.flatnonzero(loaded.ground_truth)
    split = Split(labelled[20:10:-1], labelled[:5], labelled[30:])
    config = {"scene": "synthetic", "train": {"lr": 0.1, "widths": [1, 2]}}
    configuration = Configuration("synthetic", "paper", "synthetic", config, config, None, {})
    labels = labels_of(loaded.ground_truth, split)
    return model_file.describe_model("a2s2k", configuration, loaded.image, labels, ARRAYS)


def same(one, other):
    assert one._replace(arrays={}, trained=0) == other._replace(arrays={}, trained=0)
    np.testing.assert_array_equal(one.trained, other.trained)
    assert set(one.arrays) == set(other.arrays)
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype
        np.testing.assert_array_equal(array, other.arrays[name])


def test_a_model_comes_back_from_its_file_as_it_was(model, tmp_path):
    labelled = np.flatnonzero(load_scene("synthetic").ground_truth)
    assert (model.bands, model.num_classes, model.scene) == (64, 9, "synthetic")
    np.testing.assert_array_equal(model.trained, np.concatenate([labelled[:5], labelled[11:21]]))
    npz_checkpoint.write(tmp_path / "m.npz", dict(model_file.as_content(model), weights={"w": np.ones(2)}))
    same(model_file.from_content(npz_checkpoint.read(tmp_path / "m.npz"), "m.npz"), model)


def test_weights_alone_have_no_description():
    assert model_file.from_content({"weights": {}}, "w.npz") is None


def changed(model, **values):
    content = model_file.as_content(model)
    described = dict(json.loads(content["description"]), **values)
    return dict(content, description=json.dumps({k: v for k, v in described.items() if v != "absent"}))


@pytest.mark.parametrize("values, reason", [
    ({"format_version": 2}, "its format has version 2, this program reads 1"),
    ({"format_version": True}, "format_version"),
    ({"bands": 0}, "bands"),
    ({"bands": "absent"}, "'bands' is a required property"),
    ({"scene": "../elsewhere"}, "scene"),
    ({"class_names": ["a", "a"]}, "class_names"),
    ({"palette": ["#000000"]}, "a colour per class"),
    ({"palette": ["red"] * 9}, "palette"),
    ({"config": []}, "config"),
    ({"config": {"lr": float("nan")}}, "NaN is no number"),
    ({"further": 1}, "further"),
])  # fmt: skip
def test_a_description_that_is_damaged_is_one_sentence(model, values, reason):
    with pytest.raises(CheckpointError, match=r"^m\.pth: its description is damaged") as caught:
        model_file.from_content(changed(model, **values), "m.pth")
    message = str(caught.value)
    assert reason in message and message.isprintable() and len(message) < 400


@pytest.mark.parametrize("items", [
    {"description": b"{}"}, {"description": "{"}, {"description": "[" * 10**5}, {"description": "{}"},
    {"description": " " * (1 << 21)}, {"description": "3"},
    {"arrays": None}, {"arrays": {"mean": [1.0]}}, {"arrays": {"mean": np.array([np.nan])}},
    {"arrays": {"mean": np.array(["text"])}}, {"arrays": {"mean": np.array([True])}},
    {"trained": None}, {"trained": np.array([-1])}, {"trained": np.zeros((2, 2), np.int64)}, {"trained": np.zeros(3)},
])  # fmt: skip
def test_items_of_other_kinds_are_refused(model, items):
    with pytest.raises(CheckpointError, match=r"^m\.pth: its description is damaged"):
        model_file.from_content(dict(model_file.as_content(model), **items), "m.pth")


def test_arrays_are_checked_by_name_and_shape():
    assert model_file.checked_array(ARRAYS, "axes", (64, None)) is ARRAYS["axes"]
    with pytest.raises(ValueError, match="'scale' is missing"):
        model_file.checked_array(ARRAYS, "scale", (64,))
    with pytest.raises(ValueError, match=r"'axes' has the shape \(64, 3\), not \(63, any\)"):
        model_file.checked_array(ARRAYS, "axes", (63, None))


def test_another_paper_and_other_bands_are_named(model, loaded):
    model_file.check_paper(model, "a2s2k", "m.pth")
    with pytest.raises(CheckpointError, match=r"^m\.pth is a model of the paper a2s2k, not of ssdgl;"):
        model_file.check_paper(model, "ssdgl", "m.pth")
    model_file.check_bands(model, loaded.scene, "m.pth")
    with pytest.raises(
        CheckpointError, match=r"^m\.pth was trained on the 64 bands of synthetic, but synthetic has 63"
    ):
        model_file.check_bands(model, loaded.scene._replace(bands=63), "m.pth")


def test_wrappers_and_the_prefix_of_parallel_training_are_taken_off():
    weights = {"a.w": 1, "b.w": 2}
    prefixed = {"module." + name: value for name, value in weights.items()}
    for content in (weights, prefixed, {"state_dict": prefixed, "epoch": 3}, {"model": {"state_dict": weights}}):
        assert model_file.unwrapped(content) == weights
    assert model_file.unwrapped({"module.a": 1, "b": 2}) == {"module.a": 1, "b": 2}
    endless = {}
    endless["model"] = endless
    assert model_file.unwrapped(endless) == endless


def test_a_mismatch_says_what_is_missing_first():
    expected = {name: np.zeros((2, 3)) for name in "abcdefg"}
    assert model_file.mismatch(expected, expected) == ""
    found = {"a": np.zeros((2, 3)), "b": np.zeros(3), "c": 5, "x": np.zeros(1)}
    assert model_file.mismatch(expected, found) == (
        "4 missing (d, e, f, …); 1 unexpected (x); "
        "2 of another shape (b of shape (3,) instead of (2, 3), c of shape int instead of (2, 3))"
    )


def predicted(tmp_path, loaded, model, content=b"weights", split=None, **changes):
    weights = tmp_path / "selected.pth"
    weights.write_bytes(content)
    prediction = np.ones(loaded.ground_truth.shape, np.uint8)
    sha256 = file_sha256(weights)
    folder = prediction_folder("a2s2k", request_into(tmp_path, **changes), loaded.scene, weights, sha256)
    file = {"name": weights.name, "sha256": sha256}
    outcome = write_classified(folder, "a2s2k", file, prediction, loaded, model, split)
    return outcome.directory, sorted(path.name for path in outcome.directory.iterdir())


def test_two_files_of_one_name_have_two_folders_and_one_file_has_one(tmp_path, loaded, model):
    folders = [predicted(tmp_path, loaded, model, content)[0] for content in (b"one", b"two", b"one")]
    # sha256sum of "one"
    assert folders[0] == folders[2] == tmp_path / "a2s2k/synthetic/predictions/synthetic-selected-7692c3ad"
    assert folders[1] != folders[0]


def test_maps_that_need_labels_are_left_out_where_there_are_none(tmp_path, loaded, model):
    always = ["map_full.png", "prediction.json", "prediction.npy"]
    assert predicted(tmp_path, loaded, model)[1] == ["errors.png", "map.png", *always]
    bare = loaded._replace(ground_truth=np.zeros_like(loaded.ground_truth))
    assert predicted(tmp_path, bare, model, b"1")[1] == always
    # labels of other classes cannot be compared
    other = model._replace(class_names=tuple("abc"), palette=("#000001", "#000002", "#000003"))
    folder, files = predicted(tmp_path, loaded, other, b"2")
    assert files == always
    described = read_prediction_file(folder)
    assert (described.scene, described.class_names, described.palette) == ("synthetic", ("a", "b", "c"), other.palette)


def test_pixels_that_trained_are_drawn_apart_on_the_models_own_scene_alone(tmp_path, loaded, model, monkeypatch):
    drawn = []
    monkeypatch.setattr("shared_data.evaluation.maps.write_errors", lambda *arguments: drawn.append(arguments[-1]))
    predicted(tmp_path, loaded, model)
    predicted(tmp_path, loaded, model._replace(scene="elsewhere"))
    np.testing.assert_array_equal(np.flatnonzero(~drawn[0]), model.trained)
    assert drawn[1] is None
