"""`python -m shared_data describe`: what it writes and says, and that a run reads it."""

import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.io

pytest.importorskip("h5py")
pytest.importorskip("spectral")
pytest.importorskip("rasterio")

import rasterio
from own_files import CRS, TRANSFORM, cube, described, labels, loaded, write_envi, write_mat73, write_tiff

from shared_data.cli.shared import main
from shared_data.describe import arrays as parts
from shared_data.describe.place import same_crs
from shared_data.describe.scene import scene_name
from shared_data.errors import SceneVerificationError, SettingsError, SharedDataError
from shared_data.files.toml import load_toml

pytestmark = pytest.mark.stack_independent

TRUTH = labels()


@pytest.fixture
def files(tmp_path, monkeypatch):
    """An ENVI cube with pixels without data and its labels, in the current folder."""
    monkeypatch.chdir(tmp_path)
    array = cube("int16")
    array[:2, :3] = -9999
    write_envi(tmp_path / "my plot.hdr", array, bbl=[1, 1, 1, 0, 1, 1], wavelength=range(400, 1000, 100))
    write_tiff(tmp_path / "truth.tif", TRUTH)
    return tmp_path


def test_all_that_was_found_is_said_and_written(files, capsys):
    assert main(["describe", "my plot.hdr", "--labels", "truth.tif"]) == 0
    said = capsys.readouterr().out
    for text in (
        "my plot.img: ENVI file (bil), int16",
        "21 rows × 17 columns × 6 bands, 400 to 900",
        "the header marks 1 of 6 bands as bad: 4;",
        "no data: -9999, far outside of all other values, in 6 pixels",
        "6 of 357 pixels (1.7%) are without data",
        f"unlabelled: 0 ({(TRUTH == 0).sum()} pixels), because 0 means 'no class' wherever it occurs",
        f"1 Class 1 {(TRUTH == 1).sum():9} pixels with label 1",
        "EPSG:32616, upper left corner at 500000, 4480000, pixels of 20 × 20",
        f"{(TRUTH[:2, :3] > 0).sum()} pixels with a label but without data",
        "my-plot-cube.npy (",
        "my-plot-labels.npy (",
    ):
        assert text in said, text
    assert said.splitlines()[-1].split() == ["next", "make", "reproduce-ssdgl-my-plot", "SCENE=my-plot.toml"]
    document = load_toml(files / "my-plot.toml")
    assert document["cube"]["file"] == "my-plot-cube.npy" and document["cube"]["source"] == "my plot.img"
    assert document["georeference"] == {"crs": CRS, "transform": list(TRANSFORM)}
    assert document["ignore_values"] == [-9999] and type(document["ignore_values"][0]) is int
    first = (files / "my-plot.toml").read_text().splitlines()[0]
    assert re.fullmatch(
        r"# my-plot, described on \d{4}-\d\d-\d\d by: python -m shared_data describe 'my plot.hdr' --labels truth.tif",
        first,
    )
    assert sorted(path.name for path in files.iterdir()) == [
        "my plot.hdr", "my plot.img", "my-plot-cube.npy", "my-plot-labels.npy", "my-plot.toml", "truth.tif",
    ]  # fmt: skip


def test_a_scene_without_labels_can_be_predicted(files, capsys):
    assert main(["describe", "my plot.img", "--name", "plot", "--out", "scenes/new"]) == 0
    said = capsys.readouterr().out
    assert "only be classified" in said
    assert said.splitlines()[-1].split(maxsplit=1)[1] == (
        "make predict-<paper> SCENE=scenes/new/plot.toml WEIGHTS=<a run of the paper>"
    )
    document = load_toml(files / "scenes" / "new" / "plot.toml")
    assert not {"ground_truth", "labels", "classes"} & set(document)
    assert document["cube"]["source"] == str(files / "my plot.img")  # outside of the description's folder


def test_files_that_can_be_read_as_they_are_are_named_by_their_place(files):
    np.save(files / "a.npy", cube())
    scipy.io.savemat(files / "t.mat", {"truth": TRUTH})
    beside = load_toml(described(files / "a.npy", files / "t.mat").description)
    assert beside["cube"]["file"] == "a.npy" and beside["ground_truth"]["file"] == "t.mat"
    found = described(files / "a.npy", files / "t.mat", out=files / "elsewhere")
    away = load_toml(found.description)
    assert away["cube"]["file"] == str(files / "a.npy") and away["ground_truth"]["key"] == "truth"
    assert os.listdir(files / "elsewhere") == ["my-plot.toml"]
    np.testing.assert_array_equal(loaded(found).ground_truth, TRUTH)


def test_options_with_lists_reach_the_description(files, capsys):
    np.save(files / "t.npy", TRUTH.astype(np.int16) - 1)
    words = ["describe", "my plot.hdr", "--labels", "t.npy", "--unlabelled=-1,7", "--ignore=none", "--drop-bands=bad"]
    assert main(words) == 0
    document = load_toml(files / "my-plot.toml")
    assert document["labels"]["unlabelled"] == [-1, 7] and "ignore_values" not in document and document["bands"] == 5
    assert [one["label"] for one in document["classes"]] == [0, 1, 2]
    typed = (files / "my-plot.toml").read_text().splitlines()[0].split("shared_data ")[1]
    assert typed == "describe 'my plot.hdr' --labels t.npy --drop-bands bad --unlabelled=-1,7 --ignore=none"
    for wrong in ("--unlabelled=1.5", "--unlabelled=", "--ignore=x"):
        with pytest.raises(SystemExit):
            main(["describe", "my plot.hdr", wrong])
        assert "separated by commas, or 'none'" in capsys.readouterr().err


def test_nothing_is_replaced_without_being_asked(files, capsys):
    assert main(["describe", "my plot.hdr"]) == 0
    before = {path: path.stat().st_mtime_ns for path in files.iterdir()}
    capsys.readouterr()
    assert main(["describe", "my plot.hdr"]) == 1
    assert "my-plot.toml: it is there already; choose another --name, or pass --force" in capsys.readouterr().err
    (files / "my-plot.toml").unlink()
    assert main(["describe", "my plot.hdr"]) == 1
    assert "my-plot-cube.npy: it is there already" in capsys.readouterr().err
    del before[files / "my-plot.toml"]
    assert {path: path.stat().st_mtime_ns for path in files.iterdir()} == before
    assert main(["describe", "my plot.hdr", "--force", "--drop-bands", "1"]) == 0
    assert np.load(files / "my-plot-cube.npy").shape == (21, 17, 5)


def test_a_file_is_not_replaced_by_its_own_copy(files):
    np.save(files / "a-cube.npy", np.asfortranarray(cube()))
    with pytest.raises(SettingsError, match="replaced by its own copy"):
        described(files / "a-cube.npy", name="a", force=True)
    assert np.load(files / "a-cube.npy").flags.f_contiguous
    np.save(files / "a-cube.npy", cube())  # no copy is needed of this one
    assert described(files / "a-cube.npy", name="a").copies == ()


def test_a_copy_that_is_older_than_its_source_is_noticed(files):
    found = described(files / "my plot.hdr", files / "truth.tif")
    write_envi(files / "my plot.hdr", cube("int16") + 1)
    with pytest.raises(SceneVerificationError, match=r"my plot\.img has changed"):
        loaded(found)


def test_a_full_disk_leaves_nothing(files, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("os.posix_fallocate", full)
    before = sorted(files.iterdir())
    with pytest.raises(SharedDataError, match=r"cannot be written \(No space left on device\); make room"):
        described(files / "my plot.hdr")
    assert sorted(files.iterdir()) == before


def test_labels_that_are_refused_leave_no_copy_of_the_cube(files, capsys):
    np.save(files / "t.npy", TRUTH * 0.5)
    before = sorted(files.iterdir())
    assert main(["describe", "my plot.hdr", "--labels", "t.npy"]) == 1
    assert "found 0.5" in capsys.readouterr().err and sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    "file, given, expected",
    [
        ("a b.c.hdr", None, "a-b-c"),
        ("_Änderung.mat", None, "nderung"),
        ("x" * 99 + ".npy", None, "x" * 64),
        ("plot.npy", "My_plot-2", "My_plot-2"),
    ],
)
def test_names(file, given, expected):
    assert scene_name(Path(file), given) == expected


@pytest.mark.parametrize(
    "file, given, complaint",
    [
        ("pavia.mat", None, "'pavia' is a scene of the catalogue; give another one with --name"),
        ("ääß.mat", None, "found ''"),
        ("a.mat", "../a", "expected a name of at most 64 letters"),
        ("a.mat", "x" * 65, "expected a name of at most 64 letters"),
    ],
)
def test_names_that_no_scene_can_have(file, given, complaint):
    with pytest.raises(SettingsError, match=complaint):
        scene_name(Path(file), given)


def test_different_places_of_cube_and_labels_are_a_warning(files, capsys):
    write_tiff(files / "a.tif", cube())
    moved = (TRANSFORM[0] + 20, *TRANSFORM[1:])
    write_tiff(files / "b.tif", TRUTH, placed=False, crs=CRS, transform=rasterio.Affine.from_gdal(*moved))
    for truth, warned in (("truth.tif", False), ("b.tif", True)):
        assert main(["describe", "a.tif", "--labels", truth, "--force"]) == 0
        assert ("name different places" in capsys.readouterr().out) == warned


def test_different_coordinate_systems_of_cube_and_labels_are_a_warning(files, capsys):
    where = rasterio.Affine.from_gdal(*TRANSFORM)
    write_tiff(files / "a.tif", cube())
    write_tiff(files / "b.tif", TRUTH, placed=False, crs="EPSG:32617", transform=where)
    assert main(["describe", "a.tif", "--labels", "b.tif"]) == 0
    said = capsys.readouterr().out
    assert "name different coordinate systems, EPSG:32616 and EPSG:32617: check that they belong together" in said
    assert same_crs(CRS, rasterio.crs.CRS.from_user_input(CRS).to_wkt()) and same_crs(CRS, "what nobody knows")


def test_a_rotated_place_is_said_with_the_sides_of_its_pixels(files, capsys):
    sine, cosine = 0.6, 0.8
    turned = rasterio.Affine.from_gdal(500, 20 * cosine, 10 * sine, 900, 20 * sine, -10 * cosine)
    write_tiff(files / "a.tif", cube(), placed=False, crs=CRS, transform=turned)
    assert main(["describe", "a.tif"]) == 0
    assert "EPSG:32616, upper left corner at 500, 900, pixels of 20 × 10, rotated" in capsys.readouterr().out


def test_classes_with_few_pixels_and_constant_bands_are_said(files, capsys):
    array, truth = cube(), TRUTH.copy()
    array[:, :, 2:4] = 5
    truth[truth == 2] = 0
    truth[20, :4] = 2
    np.save(files / "a.npy", array)
    np.save(files / "t.npy", truth)
    assert main(["describe", "a.npy", "--labels", "t.npy"]) == 0
    said = capsys.readouterr().out
    assert "--drop-bands=3-4" in said and "fewer than 10 pixels with data, too few for most splits: Class 2" in said
    assert "one class alone" not in said
    np.save(files / "t.npy", (TRUTH == 1).astype(np.uint8))
    assert main(["describe", "a.npy", "--labels", "t.npy", "--force"]) == 0
    assert "one class alone: there is no other to tell it from" in capsys.readouterr().out


def test_classes_that_lose_pixels_to_values_without_data_are_said_with_what_to_do(files, capsys):
    array = cube("int16")
    array[TRUTH == 3] = -9999
    array[(TRUTH == 2) & (np.cumsum(TRUTH == 2).reshape(TRUTH.shape) > 9)] = -999
    np.save(files / "a.npy", array)
    np.save(files / "t.npy", TRUTH)
    words = ["describe", "a.npy", "--labels", "t.npy", "--force"]
    assert main([*words, "--ignore=-9999,-999"]) == 0
    said, lost = capsys.readouterr().out, (TRUTH == 3).sum()
    assert f"pixels with label 3, {lost} of them without data" in said
    assert "fewer than 10 pixels with data, too few for most splits: Class 2\n" in said
    assert (
        "no pixel of Class 3 has data, each has -9999, so runs are refused: if that is a measurement, pass "
        "--ignore=-999, otherwise --unlabelled=0,3\n" in said
    )
    for remedy in ("--ignore=-999", "--unlabelled=0,3"):
        assert main([*words, remedy]) == 0
        assert "runs are refused" not in capsys.readouterr().out
    array = cube("float32")
    array[TRUTH == 3] = np.nan
    np.save(files / "a.npy", array)
    assert main(words) == 0
    assert "each has -9999, so runs are refused: pass --unlabelled=0,3\n" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["envi", "mat73", "npy"])
def test_a_cube_of_many_blocks_is_never_in_memory_as_a_whole(tmp_path, kind, monkeypatch):
    truth = np.ones((160, 128), np.uint8)
    truth[:100] = 2
    array = np.random.RandomState(0).randint(1, 4000, (160, 128, 150)).astype(np.uint16)  # 6.1 MB
    if kind == "envi":
        path = write_envi(tmp_path / "a.hdr", array, "bsq")
    elif kind == "mat73":
        path = write_mat73(tmp_path / "a.mat", (160, 128, 5), cube=array)
    else:
        path = tmp_path / "a.npy"
        np.save(path, np.asfortranarray(array))
    np.save(tmp_path / "t.npy", truth)
    monkeypatch.setattr("shared_data.scenes.mapped._BLOCK_BYTES", 1 << 17)
    monkeypatch.setattr(parts.blocks, "__defaults__", (1 << 18,))
    expected = array.sum(dtype=np.int64)
    del array
    described(path, tmp_path / "t.npy", name="first")  # loads libraries
    tracemalloc.start()
    found = described(path, tmp_path / "t.npy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.load(found.copies[0], "r").sum(dtype=np.int64) == expected
    assert peak < 4.5e6  # hashing a file takes 2 MB
