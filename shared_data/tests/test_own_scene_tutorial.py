"""The commands of docs/own-scene.md, as they stand there, on files that the test makes."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

rasterio = pytest.importorskip("rasterio")
pytest.importorskip("spectral")
pytest.importorskip("h5py")

import own_files  # noqa: E402 - it needs the three libraries

from shared_data.records.record import read_record  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "own-scene.md"
CLASSES = 22
SIDES = (16 * CLASSES, 40)
SHORT = {"ITERS": "2", "DEVICE": "cpu", "SET": "train.batch=64 model.kernels=4 preprocessing.components=7"}

pytestmark = [
    pytest.mark.stack_independent,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("make") is None, reason="no make"),
    pytest.mark.skipif(not (ROOT / ".venvs/a2s2k-modern/.ready").exists(), reason="no environment of the paper"),
]


def commands():
    """The indented lines of the tutorial that call make."""
    return re.findall(r"^    (make .+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def data(tmp_path):
    """Two ENVI images of one place, and labels with gaps in their numbers."""
    folder = tmp_path / "my data"
    folder.mkdir()
    truth = own_files.labels(CLASSES, *SIDES)  # fields so large that whole parts of them can be tested
    numbers = np.concatenate([[0], np.arange(CLASSES) * 7 + 3]).astype(np.uint8)
    cube = own_files.cube(truth=truth, bands=16)
    place = {"map info": "{UTM, 1, 1, 500000, 4480000, 20, 20, 16, North, WGS-84}"}
    own_files.write_envi(folder / "plot.hdr", cube, **place)
    own_files.write_envi(folder / "next-year.hdr", (cube * 1.01).astype(np.uint16), **place)
    own_files.write_tiff(folder / "labels.tif", numbers[truth])
    return folder


def test_every_command_of_the_tutorial_works(data, tmp_path):
    results = tmp_path / "results"
    environment = {key: value for key, value in os.environ.items() if key != "HSI_DATA"}
    tracked = subprocess.run(["git", "status", "--short"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    outputs = {}
    for command in commands():
        line = command.replace("my-data", "'%s'" % data).replace("results/", "%s/" % results)
        for folder in results.glob("a2s2k/next-year/predictions/*"):
            line = line.replace("next-year-selected-1a2b3c4d", folder.name)
        given = {} if line.startswith("make scene") else dict(SHORT, OUT=str(results))
        given.update({"FOLD": "0"} if "spatial-cv" in line else {})
        run = subprocess.run(line, shell=True, cwd=ROOT, env=dict(environment, **given), capture_output=True, text=True)
        assert run.returncode == 0, "%s\n%s%s" % (command, run.stdout, run.stderr)
        outputs[command] = run.stdout
    assert len(outputs) == 8 and "classes: 22" in outputs[commands()[0]]
    record = read_record(results / "a2s2k/my-plot/paper/seed-1331/run.json")
    assert record["data_verified"] and len(record["metrics"]["per_class"]) == CLASSES
    assert (results / "report/report.html").exists()
    (prediction,) = (results / "a2s2k/next-year/predictions").iterdir()
    for folder in (results / "a2s2k/my-plot/paper/seed-1331", prediction):
        with rasterio.open(folder / "export/class_map.tif") as image:
            assert image.shape == SIDES and image.crs.to_epsg() == 32616
            assert image.transform.to_gdal() == own_files.TRANSFORM
            assert image.read(1).min() >= 1 and image.read(1).max() <= CLASSES
    after = subprocess.run(["git", "status", "--short"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert after == tracked  # nothing that is tracked was edited
