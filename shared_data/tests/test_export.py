"""Exported files, read back by the libraries that others read them with."""

import csv
import json
import re
import sys
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

from shared_data.cli.shared import main
from shared_data.errors import RecordError, SettingsError
from shared_data.evaluation.metrics import evaluate
from shared_data.evaluation.unit_counts import count_units
from shared_data.export import export
from shared_data.records.map_codec import maps_of
from shared_data.records.prediction_file import write_prediction_file
from shared_data.records.record import write_record
from shared_data.scenes.catalogue import Georeference
from shared_data.splits.draws import Split, describe

pytestmark = pytest.mark.stack_independent

NAMES = ["Unclassified", "Water", "Trees", "Roofs"]
COLOURS = [(0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)]
TILTED = Georeference("EPSG:32616", (500000.0, 16.0, 12.0, 4480000.0, 12.0, -16.0))
GRADS = Georeference("EPSG:4326", (8.0, 0.001, 0.0, 47.0, 0.0, -0.002))


@pytest.fixture
def run(tiny, record, tmp_path):
    """Folder of a finished run on the tiny scene, its record and its prediction."""
    truth = tiny.ground_truth
    prediction = np.random.RandomState(1).randint(1, 4, truth.shape).astype(np.uint8)
    labelled = np.flatnonzero(truth)
    split = Split(labelled[:4], labelled[4:5], labelled[5:])
    tested = [array.ravel()[split.test] for array in (truth, prediction)]
    record.update(
        scene="tiny",
        experiment="tiny",
        metrics=evaluate(*tested, 3)._asdict(),
        split=describe(split, truth, 3),
        units=count_units(truth, prediction, split.test, 0),
        maps=maps_of(prediction, split, truth),
    )
    folder = tmp_path / "run"
    folder.mkdir()
    write_record(folder / "run.json", record)
    np.save(str(folder / "prediction.npy"), prediction)
    return folder, record, prediction


@pytest.fixture
def prediction(tiny, tmp_path):
    """Folder of a prediction of the tiny scene with a georeference, one pixel of which is not classified."""
    folder = tmp_path / "prediction"
    folder.mkdir()
    classes = np.random.RandomState(2).randint(1, 4, tiny.ground_truth.shape).astype(np.uint8)
    classes[0, 0] = 0
    np.save(str(folder / "prediction.npy"), classes)
    scene = tiny.scene._replace(georeference=GRADS)
    write_prediction_file(folder, "ssdgl", scene, {"name": "selected.pth", "sha256": "0" * 64})
    return folder, classes


def rows_of(path):
    with open(str(path), encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_confusion_matrix_says_which_side_is_which(run):
    folder, record, _ = run
    export(folder, ["csv"])
    header, *rows = rows_of(folder / "export" / "confusion_matrix.csv")
    assert header == ["rows: true class; columns: predicted class", "1 Water", "2 Trees", "3 Roofs"]
    assert [row[0] for row in rows] == header[1:]
    assert [[int(count) for count in row[1:]] for row in rows] == record["metrics"]["confusion"]


def test_accuracies_per_class(run):
    folder, record, _ = run
    record["metrics"] = evaluate(np.array([1, 1, 1, 2]), np.array([1, 2, 2, 2]), 3)._asdict()
    record["split"]["train"]["per_class"] = [3, 1, 0]
    del record["units"]
    write_record(folder / "run.json", record)
    export(folder, ["csv"])
    found = {row["class"]: row for row in csv.DictReader(open(str(folder / "export" / "classes.csv"), newline=""))}
    water, roofs = found["Water"], found["Roofs"]
    assert (water["number"], water["training pixels"], water["test pixels (n)"]) == ("1", "3", "3")
    assert (water["predicted test pixels"], found["Trees"]["predicted test pixels"]) == ("1", "3")
    assert float(water["recall (producer's accuracy)"]) == pytest.approx(1 / 3, abs=1e-6)
    assert float(water["precision (user's accuracy)"]) == 1
    assert float(water["F1"]) == pytest.approx(0.5)
    assert float(found["Trees"]["precision (user's accuracy)"]) == pytest.approx(1 / 3, abs=1e-6)
    assert roofs["test pixels (n)"] == "0"
    assert roofs["recall (producer's accuracy)"] == roofs["F1"] == water["recall, 95 % interval from"] == ""


def test_recall_has_the_interval_that_the_report_shows(run):
    from shared_data.evaluation.field_statistics import bootstrap_intervals
    from shared_data.records.counts import units_of

    folder, record, _ = run
    export(folder, ["csv"])
    rows = list(csv.DictReader(open(str(folder / "export" / "classes.csv"), newline="")))
    intervals = bootstrap_intervals(units_of(record)).recall
    for row, interval in zip(rows, intervals):
        ends = [row["recall, 95 % interval " + end] for end in ("from", "to")]
        if interval is None:
            assert ends == ["", ""]
        else:
            np.testing.assert_allclose(np.array(ends, float), interval, atol=1e-6)
    assert len(rows) == len(intervals) and any(intervals)


@pytest.mark.parametrize("where", [None, GRADS, TILTED])
def test_geotiff(run, tmp_path, where):
    rasterio = pytest.importorskip("rasterio")
    folder, _, expected = run
    export(folder, ["geotiff"], tmp_path / "out", where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(str(tmp_path / "out" / "class_map.tif")) as file:
            assert (file.count, file.dtypes, file.nodata) == (1, ("uint8",), 0)
            np.testing.assert_array_equal(file.read(1), expected)
            assert [file.colormap(1)[number][:3] for number in range(4)] == COLOURS
            assert file.compression.name == "deflate"
            assert [file.tags(1)["CLASS_%d" % number] for number in range(4)] == NAMES
            assert file.crs == (None if where is None else rasterio.crs.CRS.from_user_input(where.crs))
            if where is not None:
                np.testing.assert_allclose(file.transform.to_gdal(), where.transform)
    beside = ElementTree.parse(str(tmp_path / "out" / "class_map.tif.aux.xml"))
    assert [one.text for one in beside.iter("Category")] == NAMES


@pytest.mark.parametrize("where", [None, GRADS, TILTED])
def test_envi(run, tmp_path, where):
    envi = pytest.importorskip("spectral.io.envi")
    folder, _, expected = run
    export(folder, ["envi"], tmp_path / "out", where)
    image = envi.open(str(tmp_path / "out" / "class_map.hdr"))
    assert image.metadata["file type"] == "ENVI Classification"
    assert image.metadata["class names"] == NAMES
    assert np.reshape([int(value) for value in image.metadata["class lookup"]], (-1, 3)).tolist() == [
        list(colour) for colour in COLOURS
    ]
    band = image.read_band(0)
    assert band.dtype == np.uint8
    np.testing.assert_array_equal(band, expected)
    assert ("map info" in image.metadata) == (where is not None)
    if where is not None:
        rasterio = pytest.importorskip("rasterio")
        with rasterio.open(str(tmp_path / "out" / "class_map.img")) as file:
            assert file.crs == rasterio.crs.CRS.from_user_input(where.crs)
            np.testing.assert_allclose(file.transform.to_gdal(), where.transform, rtol=1e-9, atol=1e-12)


def test_names_with_separators_stay_one_name_in_envi(run, tiny, know):
    envi = pytest.importorskip("spectral.io.envi")
    know(tiny.scene._replace(class_names=("Corn, notill", "Grass {wet}", "Roofs")))
    export(run[0], ["envi"])
    names = envi.open(str(run[0] / "export" / "class_map.hdr")).metadata["class names"]
    assert names == ["Unclassified", "Corn; notill", "Grass (wet)", "Roofs"]


def test_a_transform_that_envi_cannot_express_is_refused(run):
    pytest.importorskip("rasterio")
    sheared = Georeference("EPSG:32616", (500000.0, 20.0, 5.0, 4480000.0, 0.0, -20.0))
    with pytest.raises(SettingsError, match="not perpendicular; leave out the format envi"):
        export(run[0], ["envi"], georeference=sheared)
    export(run[0], ["geotiff"], georeference=sheared)


@pytest.mark.parametrize(
    "where", [Georeference("EPSG:1", GRADS.transform), GRADS._replace(transform=(8.0, 1.0, 1.0, 47.0, 1.0, 1.0))]
)
def test_an_unusable_georeference_is_one_sentence(run, where):
    pytest.importorskip("rasterio")
    with pytest.raises(SettingsError, match=r"its georeference cannot be used .*; mend it in the scene's description"):
        export(run[0], ["geotiff"], georeference=where)
    assert not list(run[0].glob("export/*"))


def test_prediction_has_maps_with_its_own_georeference_and_no_accuracies(prediction, capsys):
    rasterio = pytest.importorskip("rasterio")
    folder, expected = prediction
    assert main(["export", str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    names = ["class_map.hdr", "class_map.img", "class_map.tif", "class_map.tif.aux.xml"]
    assert said[:-1] == [str(folder / "export" / name) for name in names]
    assert said[-1] == "It is a prediction, which has no accuracies, so there is no CSV."
    with rasterio.open(str(folder / "export" / "class_map.tif")) as file:
        np.testing.assert_array_equal(file.read(1), expected)
        np.testing.assert_allclose(file.transform.to_gdal(), GRADS.transform)
    assert main(["export", str(folder), "--format", "csv"]) == 1
    assert "is a prediction, which has no accuracies" in capsys.readouterr().err


def test_kept_record_is_exported_from_the_map_in_it(run, tmp_path):
    folder, record, expected = run
    envi = pytest.importorskip("spectral.io.envi")
    kept = tmp_path / "seed-1.json"
    write_record(kept, record)
    export(kept, ["envi", "csv"], tmp_path / "kept")
    np.testing.assert_array_equal(envi.open(str(tmp_path / "kept" / "class_map.hdr")).read_band(0), expected)
    export(folder, ["csv"])
    assert rows_of(tmp_path / "kept" / "classes.csv") == rows_of(folder / "export" / "classes.csv")


def test_export_replaces_an_earlier_one_and_leaves_nothing_else(run):
    folder, _, _ = run
    (folder / "export").mkdir()
    (folder / "export" / "classes.csv").write_text("old")
    assert main(["export", str(folder), "--format", "csv", "csv"]) == 0
    assert sorted(path.name for path in (folder / "export").iterdir()) == ["classes.csv", "confusion_matrix.csv"]
    assert len(rows_of(folder / "export" / "classes.csv")) == 4


def test_unusable_sources(run, prediction, tmp_path, capsys):
    folder, _, _ = run
    with pytest.raises(RecordError, match=r"neither run\.json, .* nor prediction\.json"):
        export(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(["export", str(folder), "--format", "csv", "--out", str(tmp_path / "file")]) == 1
    assert "file cannot be written: " in capsys.readouterr().err
    np.save(str(folder / "prediction.npy"), np.zeros((3, 3), np.uint8))
    with pytest.raises(RecordError, match=r"prediction\.npy cannot be used: .*; run it again"):
        export(folder)
    np.save(str(folder / "prediction.npy"), np.full((6, 5), 4, np.uint8))
    with pytest.raises(RecordError, match=r"expected whole numbers 0\.\.3"):
        export(folder)
    described = prediction[0] / "prediction.json"
    content = json.loads(described.read_text())
    content["classes"][0]["colour"] = "blue"
    described.write_text(json.dumps(content))
    with pytest.raises(RecordError, match="classes/0/colour"):
        export(prediction[0])


def test_without_the_libraries_one_sentence_says_so_and_csv_works(run, monkeypatch, capsys):
    for name in ("rasterio", "spectral", "spectral.io"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("geotiff", "envi"):
        assert main(["export", str(run[0]), "--format", name]) == 1
        said = capsys.readouterr().err
        assert re.fullmatch(r"error: .* need (rasterio|spectral) \(.*\); use make export, or install .*\.\n", said)
    assert main(["export", str(run[0]), "--format", "csv"]) == 0
