"""Records of runs on own scenes: maps, reports and comparisons need no description."""

import argparse
import json

import numpy as np
import pytest
import toy_method
from own_scenes import numbered, random_scene, write_scene

from shared_data.cli import run_options
from shared_data.cli.shared import main
from shared_data.comparison.methods import compare_methods
from shared_data.errors import RecordError, SettingsError
from shared_data.records.conflicts import differences
from shared_data.records.map_codec import prediction_of
from shared_data.records.record import collect, read_record, validate_record
from shared_data.records.record_scene import scene_of_record
from shared_data.report.run_maps import load_maps
from shared_data.report.truth import Truths
from shared_data.runs.cross_validation import reproduce_all
from shared_data.runs.request import Request
from shared_data.scenes import catalogue, own

pytestmark = pytest.mark.stack_independent

CUBE, LABELS = random_scene(60, 50)
COLOURS = ("#FF0000", "#00ff00", "#0000ff")
TAIL = "[georeference]\ncrs = 'EPSG:32616'\ntransform = [5e5, 20, 0, 4480000.5, 0, -20]"


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(catalogue, "_ADDED", {})


def ran(tmp_path, protocol="paper", **changes):
    """The outcome of a run on an own scene, which is then unknown again."""
    path = write_scene(tmp_path / "scene", CUBE, LABELS, **changes)
    request = Request("my-plot", protocol, 1, None, False, "cpu", None, (), tmp_path / "out", False)
    own.register(path)
    outcome = reproduce_all(toy_method.METHOD, request)
    catalogue._ADDED.clear()
    for file in (tmp_path / "scene").iterdir():
        file.unlink()
    return outcome


def test_a_record_describes_the_scene(tmp_path):
    outcome = ran(tmp_path, colours=COLOURS, tail=TAIL)
    record = outcome.record
    validate_record(record)
    assert record["data_verified"] is True and record["scene"] == record["experiment"] == "my-plot"
    scene = scene_of_record(record)
    assert scene.class_names == ("Corn", "Wheat", "Water") and scene.palette == ("#ff0000", "#00ff00", "#0000ff")
    assert (scene.title, scene.height, scene.width, scene.bands) == ("Plot my-plot", 60, 50, 6)
    assert scene.georeference == catalogue.Georeference("EPSG:32616", (5e5, 20.0, 0.0, 4480000.5, 0.0, -20.0))
    assert np.array_equal(prediction_of(record, scene), np.load(str(outcome.directory / "prediction.npy")))
    assert differences(record, json.loads(json.dumps(record))) == ()


def test_a_record_of_the_catalogues_scene_does_not(tmp_path):
    request = Request("synthetic", "paper", 1, None, False, "cpu", None, (), tmp_path, False)
    outcome = reproduce_all(toy_method.METHOD, request)
    assert "own_scene" not in outcome.record and not (outcome.directory / "own_truth.npy").exists()
    assert scene_of_record(outcome.record) is catalogue.get_scene("synthetic")


@pytest.mark.parametrize("protocol", ["paper", pytest.param("spatial-cv", marks=pytest.mark.slow)])
def test_maps_of_a_run_are_drawn_without_its_description(tmp_path, protocol):
    outcome = ran(tmp_path, protocol)
    path = outcome.directory / "run.json"
    maps = load_maps(path, read_record(path), Truths())
    assert maps.remarks == () and maps.splits and maps.scene.class_names == ("Corn", "Wheat", "Water")
    assert np.array_equal(maps.truth, numbered(LABELS))
    kept = collect(outcome.directory, tmp_path / "kept")
    maps = load_maps(kept, read_record(kept), Truths())
    assert maps.truth is None and maps.prediction is not None
    assert maps.remarks == (
        "The labels of an own scene are not kept with its record, so the ground truth is not drawn.",
    )


def test_damaged_labels_beside_a_record_are_not_drawn(tmp_path):
    outcome = ran(tmp_path)
    path = outcome.directory / "run.json"
    for damaged in (np.zeros((2, 2), np.uint8), np.full((60, 50), 200, np.uint8), np.zeros((60, 50))):
        np.save(str(outcome.directory / "own_truth.npy"), damaged)
        maps = load_maps(path, read_record(path), Truths())
        assert maps.truth is None and "own_truth.npy" in maps.remarks[0]


def test_report_diff_and_comparison_name_the_classes(tmp_path, capsys):
    pytest.importorskip("jinja2")
    outcome = ran(tmp_path, "disjoint")
    compared = compare_methods([outcome.record], "my-plot", "disjoint")
    assert [row.name for row in compared.classes] == ["Corn", "Wheat", "Water"]
    out = str(tmp_path / "out")
    assert main(["diff", out, "--experiment", "my-plot"]) == 0
    assert "no published number" in capsys.readouterr().out
    assert (
        main(["compare", out, "--scene", "my-plot", "--protocol", "disjoint"]) == 0
        and "| Wheat |" in capsys.readouterr().out
    )
    assert main(["compare", out, "--scene", "no-plot"]) == 1
    assert "unknown scene 'no-plot'" in capsys.readouterr().err
    assert main(["report", out, "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "a scene of the user's own" in page.replace("&#39;", "'") and "Wheat" in page


def test_class_names_with_dollar_signs_and_markup_are_drawn_as_they_are(tmp_path):
    pytest.importorskip("jinja2")
    names = ("$x^$ <b>corn</b>", "_wheat & $", "$\\frac$")
    outcome = ran(
        tmp_path, "disjoint", classes=[(label, name.replace("\\", "\\\\")) for label, name in zip((3, 4, 9), names)]
    )
    assert scene_of_record(outcome.record).class_names == names
    assert (outcome.directory / "map.png").stat().st_size
    assert main(["report", str(tmp_path / "out"), "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<b>corn</b>" not in page and "&lt;b&gt;corn&lt;/b&gt;" in page


@pytest.mark.parametrize(
    "changed",
    [
        {"title": ""},
        {"height": 0},
        {"classes": []},
        {"classes": [{"name": "a\nb", "colour": "#000000"}]},
        {"classes": [{"name": "a", "colour": "red"}]},
        {"classes": [{"name": "a", "colour": "#000000"}] * 256},
        {"georeference": {"crs": "EPSG:1", "transform": [0, 1]}},
        {"path": "/home/me"},
    ],
)
def test_a_record_with_another_description_is_refused(record, changed):
    own_scene = {"title": "a", "height": 2, "width": 2, "bands": 1, "classes": [{"name": "a", "colour": "#000000"}]}
    validate_record(dict(record, own_scene=own_scene))
    with pytest.raises(RecordError, match="own_scene"):
        validate_record(dict(record, own_scene=dict(own_scene, **changed)))


def test_a_command_names_the_scene_that_it_describes(tmp_path):
    def registered(experiment, scene_of=str):
        arguments = argparse.Namespace(scene_file=path, experiment=experiment)
        return run_options.register_scene_of(arguments, "experiment", scene_of)

    path = str(write_scene(tmp_path, CUBE, LABELS))
    registered("my-plot")
    registered("my-plot-wide", lambda _name: "my-plot")  # a paper's variant
    with pytest.raises(SettingsError, match="describes the scene 'my-plot', and the command names 'other'; a run"):
        registered("other")
    with pytest.raises(SettingsError, match="the command names 'my-plot-wide', one on the scene synthetic; a run"):
        registered("my-plot-wide", lambda _name: "synthetic")


def test_a_changed_file_makes_an_unverified_record(tmp_path):
    path = write_scene(tmp_path / "scene", CUBE, LABELS)
    np.save(str(tmp_path / "scene" / "my-plot-cube.npy"), CUBE + 1)
    own.register(path)
    request = Request("my-plot", "paper", 1, None, True, "cpu", None, (), tmp_path / "out", False)
    record = reproduce_all(toy_method.METHOD, request).record
    assert record["data_verified"] is False and [file["verified"] for file in record["data"]] == [False, False]


@pytest.mark.slow
def test_two_hundred_classes_are_drawn_and_reported(tmp_path):
    classes = [(label, "class %d" % label) for label in range(1, 201)]
    labels = np.arange(60 * 50).reshape(60, 50) // 14 % 201
    path = write_scene(tmp_path, CUBE, labels, classes=classes)
    assert own.register(path).num_classes == 200
    method = toy_method.METHOD._replace(draw=few)
    request = Request("my-plot", "paper", 1, None, False, "cpu", None, (), tmp_path / "out", False)
    outcome = reproduce_all(method, request)
    assert len(outcome.record["own_scene"]["classes"]) == 200 == len(set(scene_of_record(outcome.record).palette))
    assert np.load(str(outcome.directory / "prediction.npy")).max() <= 200


def few(loaded, _configuration, seed):
    return toy_method.Draw(toy_method.draw_per_class(loaded.ground_truth, [2] * loaded.scene.num_classes, seed))
