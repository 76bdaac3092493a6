"""Own scenes: descriptions are checked, files verified, labels mapped to classes, ignored pixels left out."""

import os

import numpy as np
import pytest
from own_scenes import CLASSES, numbered, random_scene, write_scene

from shared_data.errors import CatalogueError, SceneFormatError, SceneNotFoundError, SceneVerificationError
from shared_data.scenes import catalogue, own
from shared_data.scenes.loading import file_sha256, load_scene, verify_scene

CUBE, LABELS = random_scene()


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """Nothing that a test registers is known to the next one."""
    monkeypatch.setattr(catalogue, "_ADDED", {})


def loaded_from(path, **options):
    return load_scene(own.register(path).slug, **options)


def edited(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".npy", ".mat"])
def test_a_described_scene_is_loaded_with_its_classes_in_order(tmp_path, suffix):
    loaded = loaded_from(write_scene(tmp_path, CUBE, LABELS, suffix=suffix))
    assert loaded.verified and loaded.valid is None
    assert np.array_equal(loaded.cube, CUBE) and loaded.cube.dtype == np.int16
    assert np.array_equal(loaded.ground_truth, numbered(LABELS)) and loaded.ground_truth.dtype == np.uint8
    assert loaded.scene.class_names == ("Corn", "Wheat", "Water") and loaded.scene.num_classes == 3
    assert isinstance(loaded.cube, np.memmap) == (suffix == ".npy")
    assert [file.verified_by for file in loaded.files] == ["content"] * 2 == [
        file.verified_by for file in verify_scene("my-plot")
    ]  # fmt: skip


def test_the_order_of_the_classes_is_that_of_the_description_not_of_the_labels(tmp_path):
    classes = CLASSES[::-1]
    loaded = loaded_from(write_scene(tmp_path, CUBE, LABELS, classes=classes))
    assert loaded.scene.class_names == ("Water", "Wheat", "Corn")
    assert np.array_equal(loaded.ground_truth, numbered(LABELS, classes))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64"])
def test_labels_may_be_of_any_type_of_whole_numbers(tmp_path, dtype):
    loaded = loaded_from(write_scene(tmp_path, CUBE, LABELS.astype(dtype)))
    assert np.array_equal(loaded.ground_truth, numbered(LABELS))


def test_files_lie_relative_to_the_description_or_anywhere(tmp_path, monkeypatch):
    path = write_scene(tmp_path / "here", CUBE, LABELS)
    monkeypatch.chdir(tmp_path)
    assert loaded_from(path.relative_to(tmp_path)).verified
    elsewhere = tmp_path / "elsewhere.npy"
    os.rename(str(tmp_path / "here" / "my-plot-cube.npy"), str(elsewhere))
    assert loaded_from(edited(path, '"my-plot-cube.npy"', '"%s"' % elsewhere)).verified
    elsewhere.unlink()
    with pytest.raises(SceneNotFoundError, match=r"elsewhere.npy: .*No such file.*describe it again"):
        load_scene("my-plot")


def test_a_changed_file_is_refused_and_its_use_marked(tmp_path):
    path = write_scene(tmp_path, CUBE, LABELS)
    np.save(str(tmp_path / "my-plot-cube.npy"), CUBE + 1)
    with pytest.raises(SceneVerificationError, match=r"my-plot-cube\.npy has changed since .*describe it again"):
        loaded_from(path)
    loaded = load_scene("my-plot", unverified=True)
    assert not loaded.verified and np.array_equal(loaded.cube, CUBE + 1)


def test_a_changed_source_is_refused_and_a_missing_one_is_not(tmp_path):
    source = tmp_path / "raw.img"
    source.write_bytes(b"raw")
    path = write_scene(tmp_path, CUBE, LABELS)
    edited(path, "[ground_truth]", 'source = "raw.img"\nsource_sha256 = "%s"\n[ground_truth]' % file_sha256(source))
    assert loaded_from(path).verified
    source.write_bytes(b"other")
    with pytest.raises(SceneVerificationError, match=r"raw\.img has changed since"):
        load_scene("my-plot")
    assert not load_scene("my-plot", unverified=True).verified
    source.unlink()
    assert load_scene("my-plot").verified


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("pixels = %d" % (LABELS == 4).sum(), "pixels = 7", "expected 7 pixels of the class 'Wheat' of my-plot, found"),
        ("unlabelled = [0, 255]", "unlabelled = [0]", r"the labels 255 are neither in \[\[classes\]\] nor in"),
        ("label = 9", "label = 10", "the labels 9 are neither"),
    ],
)
def test_a_description_that_contradicts_the_labels_is_refused(tmp_path, old, new, complaint):
    path = edited(write_scene(tmp_path, CUBE, LABELS), old, new)
    for unverified in (False, True):
        with pytest.raises(SceneFormatError, match=r"my-plot-ground_truth.npy: .*" + complaint):
            loaded_from(path, unverified=unverified)


def test_fractions_are_no_labels(tmp_path):
    path = write_scene(tmp_path, CUBE, LABELS + 0.5, classes=[(label + 0.5, name) for label, name in CLASSES])
    text = path.read_text(encoding="utf-8").replace(".5\n", "\n")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SceneFormatError, match="expected whole numbers as labels"):
        loaded_from(path)


def test_a_scene_without_labels_can_be_loaded_for_prediction_alone(tmp_path):
    path = write_scene(tmp_path, CUBE)
    with pytest.raises(SceneFormatError, match=r"the description has no ground truth.*use 'predict'"):
        loaded_from(path)
    loaded = load_scene("my-plot", labelled=False)
    assert not loaded.is_labelled and loaded.verified and len(loaded.files) == 1


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ('name = "my-plot"', 'name = "pavia"', "name: 'pavia' is a scene of the catalogue; choose another name"),
        ('name = "my-plot"', 'name = "my plot"', "name: found 'my plot', expected a name of"),
        ("height = ", "heigth = ", "unknown key 'heigth'"),
        ("bands = 6", "bands = 0", "bands: found 0, expected a whole number that is at least 1"),
        ("bands = 6", "bands = 6\nignore_values = ['x']", r"ignore_values\[0\]: found 'x', expected a number"),
        ("bands = 6", "bands = 6\nignore_values = [2020-01-01]", "ignore_values: expected numbers, found 2020-01-01"),
        ("label = 4", "label = 3", "classes: the label 3 stands there twice"),
        ('name = "Wheat"', 'name = "Corn"', "classes: the name 'Corn' stands there twice"),
        ("label = 4", "label = 255", "the label 255 of 'Wheat' is one of labels.unlabelled, too"),
        ("label = 4", "label = 4.0", r"classes\[1\].label: found 4.0, expected a whole number"),
        ('name = "Wheat"', 'name = "Wh\\u0001"', r"classes\[1\].name: found 'Wh\\x01', expected a text of 1 to 200"),
        ("[labels]\nunlabelled = [0, 255]", "", "ground_truth needs labels"),
        ('"my-plot-cube.npy"', '"my-plot.img"', "cube.file: found 'my-plot.img', expected a .npy file, or a MATLAB"),
        ('"my-plot-cube.npy"', '"my-plot-cube.mat"', "cube: missing key 'key'"),
        ('"my-plot-cube.npy"', '"my-plot-cube.npy"\nkey = "a"', "no key of a .npy file"),
        ('dtype = "int16"', 'dtype = "complex64"', "cube.dtype: found 'complex64', expected one of: int8, uint8"),
        ("[labels]", "[georeference]\ncrs = 'EPSG:1'\ntransform = [1]\n[labels]", "expected a list of six numbers"),
        ("bands = 6", "bands = = 6", "it cannot be read as TOML"),
    ],
)
def test_a_mistake_in_a_description_is_named(tmp_path, old, new, complaint):
    path = edited(write_scene(tmp_path, CUBE, LABELS), old, new)
    with pytest.raises(CatalogueError, match=complaint) as error:
        own.register(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    assert "my-plot" not in catalogue.scenes()


def test_the_command_that_describes_a_file_can_be_pasted(tmp_path):
    with pytest.raises(CatalogueError, match=r"shared_data describe '.*next year\.hdr' --name"):
        own.register(tmp_path / "next year.hdr")


@pytest.mark.parametrize("name", ["scene.hdr", "scene.tif", "scene.mat", "scene"])
def test_a_file_that_is_no_description_is_to_be_described_first(tmp_path, name):
    (tmp_path / name).write_bytes(b"ENVI")
    with pytest.raises(CatalogueError, match=r"describe it first: python -m shared_data describe .*%s --name" % name):
        own.register(tmp_path / name)


def test_a_missing_description_is_said_to_be_missing(tmp_path):
    with pytest.raises(CatalogueError, match="no such file"):
        own.register(tmp_path / "my-plot.toml")


def test_a_name_belongs_to_one_description(tmp_path, monkeypatch):
    path = write_scene(tmp_path / "a", CUBE, LABELS)
    own.register(path)
    monkeypatch.chdir(tmp_path)
    own.register("a/my-plot.toml")  # the same file
    with pytest.raises(CatalogueError, match=r"a scene named 'my-plot' has been read from .*choose another name"):
        own.register(write_scene(tmp_path / "b", CUBE, LABELS))


def test_the_georeference_is_kept(tmp_path):
    tail = "[georeference]\ncrs = 'EPSG:32616'\ntransform = [5e5, 20, 0, 4480000.5, 0, -20]"
    scene = own.register(write_scene(tmp_path, CUBE, LABELS, tail=tail))
    assert scene.georeference == catalogue.Georeference("EPSG:32616", (5e5, 20.0, 0.0, 4480000.5, 0.0, -20.0))


def test_cube_and_labels_may_be_variables_of_one_file(tmp_path):
    import scipy.io

    path = write_scene(tmp_path, CUBE, LABELS, suffix=".mat")
    scipy.io.savemat(str(tmp_path / "both.mat"), {"cube": CUBE, "map": LABELS})
    for part, key in (("cube", "cube"), ("ground_truth", "map")):
        edited(path, '"my-plot-%s.mat"\nkey = "data"' % part, '"both.mat"\nkey = "%s"' % key)
    loaded = loaded_from(path)
    assert loaded.verified and np.array_equal(loaded.cube, CUBE)
    assert len({file.name for file in loaded.files}) == 2


# ignored pixels

HOLES = np.zeros(LABELS.shape, bool)
HOLES[20, 10:20] = True


def holed(cube, value):
    """The cube with a value in one band of the pixels in HOLES."""
    cube = cube.copy()
    cube[..., 2][HOLES] = value
    return cube


@pytest.mark.parametrize("suffix", [".npy", ".mat"])
@pytest.mark.parametrize("dtype, value, told", [("int16", -9999, "-9999"), ("float32", -3.4e38, "-3.4e38"),
                                                ("float64", np.nan, "nan"), ("float32", -9999, "-9999.0")])  # fmt: skip
def test_ignored_pixels_have_no_label_and_the_mean_spectrum_of_the_others(tmp_path, suffix, dtype, value, told):
    cube = holed(CUBE.astype(dtype), value)
    path = write_scene(tmp_path, cube, LABELS, suffix=suffix, head="ignore_values = [%s]" % told)
    if told == "nan":  # numpy's, as it is hashed
        assert np.isnan(cube).any()
    loaded = loaded_from(path)
    assert loaded.verified and np.array_equal(loaded.valid, ~HOLES) and np.array_equal(loaded.image.valid, ~HOLES)
    assert np.array_equal(loaded.ground_truth, np.where(HOLES, 0, numbered(LABELS)))
    mean = CUBE[~HOLES].mean(axis=0)
    assert np.allclose(loaded.cube[HOLES], mean, rtol=1e-5, atol=0.5 if dtype == "int16" else 0.01)
    assert np.array_equal(loaded.cube[~HOLES], cube[~HOLES]) and loaded.cube.dtype == dtype
    assert isinstance(loaded.cube, np.memmap) == (suffix == ".npy")
    assert np.array_equal(np.isnan(cube), np.isnan(load_file(tmp_path, suffix)))  # the file is as it was


def load_file(folder, suffix):
    import scipy.io

    path = str(folder / ("my-plot-cube" + suffix))
    return np.load(path) if suffix == ".npy" else scipy.io.loadmat(path)["data"]


def test_values_that_no_pixel_has_or_that_the_cube_cannot_hold_change_nothing(tmp_path):
    head = "ignore_values = [-9999, 1e9, 0.5, nan]"
    loaded = loaded_from(write_scene(tmp_path, CUBE, LABELS, head=head))
    assert loaded.valid is None and np.array_equal(loaded.cube, CUBE)


def test_nan_that_is_not_ignored_is_refused(tmp_path):
    path = write_scene(tmp_path, holed(CUBE.astype("float32"), np.nan), LABELS, head="ignore_values = [-9999]")
    with pytest.raises(SceneFormatError, match="found NaN or infinity, first in row 20, column 10, band 2"):
        loaded_from(path)


def test_a_scene_of_ignored_pixels_alone_is_refused(tmp_path):
    path = write_scene(tmp_path, np.full_like(CUBE, 7), LABELS, head="ignore_values = [7]")
    with pytest.raises(SceneFormatError, match="every pixel has one of the ignore_values"):
        loaded_from(path)


def test_ignored_pixels_that_leave_no_label_are_refused(tmp_path):
    cube = CUBE.copy()
    cube[numbered(LABELS) > 0] = 7
    path = write_scene(tmp_path, cube, LABELS, head="ignore_values = [7]")
    with pytest.raises(SceneFormatError, match="the ignore_values leave no labelled pixel"):
        loaded_from(path)
    assert not load_scene("my-plot", labelled=False).is_labelled


# the catalogue


def test_class_counts_of_the_catalogue_are_compared_with_the_file(tiny, know):
    counts = [int((tiny.ground_truth == label).sum()) for label in (1, 2, 3)]
    know(tiny.scene._replace(class_counts=tuple(counts)))
    assert np.array_equal(load_scene("tiny", tiny.folder).ground_truth, tiny.ground_truth)
    know(tiny.scene._replace(class_counts=(counts[0], counts[1] + 1, counts[2])))
    with pytest.raises(
        SceneFormatError, match="expected %d pixels of the class 'Trees' of tiny, found" % (counts[1] + 1)
    ):
        load_scene("tiny", tiny.folder)
