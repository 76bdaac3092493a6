"""Labels as people have them become classes, or are refused with what to do."""

import numpy as np
import pytest
import scipy.io

pytest.importorskip("h5py")
pytest.importorskip("spectral")
pytest.importorskip("rasterio")

import rasterio
from own_files import cube, described, labels, loaded, write_classification, write_tiff

from shared_data.describe.borders import better_position
from shared_data.describe.summary import summary
from shared_data.errors import SceneFormatError, SettingsError

pytestmark = pytest.mark.stack_independent

TRUTH = labels()
CLASSES = np.array([0, 1, 2, 3])


@pytest.fixture
def cube_path(tmp_path):
    np.save(tmp_path / "plot.npy", cube())
    return tmp_path / "plot.npy"


def saved(tmp_path, array):
    np.save(tmp_path / "truth.npy", array)
    return tmp_path / "truth.npy"


def with_values(*values):
    """The labels with other values in place of 0..3, as int64."""
    return np.array(values)[TRUTH]


# --- which labels mean "no class" ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, unlabelled, classes",
    [
        ((0, 1, 2, 3), (0,), [1, 2, 3]),
        ((0, 11, 4, 700), (0,), [4, 11, 700]),  # gaps
        ((3, 0, 1, 2), (0,), [1, 2, 3]),  # 0 is a class of the file: said, and --unlabelled says otherwise
        ((255, 1, 2, 3), (255,), [1, 2, 3]),
        ((-1, 1, 2, 3), (-1,), [1, 2, 3]),
        ((-9999, 1, 2, 3), (-9999,), [1, 2, 3]),
        ((0, 255, 255, 255), (0,), [255]),  # a mask
        ((1, 2, 3, 4), (), [1, 2, 3, 4]),
        ((0, -5, 2, 3), (0,), [-5, 2, 3]),
    ],
)
def test_labels_without_a_class_by_the_rule(tmp_path, cube_path, values, unlabelled, classes):
    found = described(cube_path, saved(tmp_path, with_values(*values)))
    assert found.labels.unlabelled == unlabelled and [one.label for one in found.labels.classes] == classes
    assert found.copies == ()
    expected = np.zeros(2**14, np.uint8)
    expected[classes] = np.arange(1, len(classes) + 1)
    np.testing.assert_array_equal(loaded(found).ground_truth, expected[with_values(*values)])


def test_doubts_about_the_rule_are_said(tmp_path, cube_path):
    for values, said in (
        ((0, 255, 255, 255), "--unlabelled=0,255"),
        ((0, -5, 2, 3), "--unlabelled=0,-5"),
        ((0, -5, -4, 3), "--unlabelled=0,-5,-4"),
        ((0, 1, 2, 3), None),
    ):
        found = described(cube_path, saved(tmp_path, with_values(*values)), force=True)
        assert [said in remark for remark in found.labels.remarks] == [True] * (said is not None)
        assert said is None or said in summary(found)
    truth = write_classification(
        tmp_path / "t.hdr", TRUTH, ["Water", "Corn", "Hay", "Oats"], [(9, 9, n) for n in CLASSES]
    )
    found = described(cube_path, truth, force=True)
    assert "--unlabelled=none" in found.labels.remarks[0] and "'Water'" in found.labels.remarks[0]
    without = "Corn-no till", "Classes of crops", "Backgrounds"  # names of classes, whatever words are in them
    for name, said in [(name, True) for name in without] + [("UNLABELED pixels", False), ("no-data", False)]:
        write_classification(tmp_path / "n.hdr", TRUTH, [name, "Corn", "Hay", "Oats"], [(9, 9, n) for n in CLASSES])
        assert bool(described(cube_path, tmp_path / "n.hdr", force=True).labels.remarks) == said
    found = described(cube_path, truth, force=True, unlabelled=())
    assert loaded(found).scene.class_names == ("Water", "Corn", "Hay", "Oats") and found.labels.remarks == ()


@pytest.mark.parametrize(
    "values, dtype", [((255, 0, 1, 2), np.uint8), ((-1, 0, 1, 2), int), ((np.nan, 0, 1, 2), float)]
)
def test_whether_0_is_a_class_beside_another_value_for_none_is_asked(tmp_path, cube_path, values, dtype):
    path = saved(tmp_path, with_values(*values).astype(dtype))
    other = -1 if dtype is float else values[0]
    with pytest.raises(SceneFormatError, match=f"also 0, which may be a class; if it is, pass --unlabelled={other} "):
        described(cube_path, path)
    found = described(cube_path, path, unlabelled=(other,), name="a")
    assert [one.label for one in found.labels.classes] == [0, 1, 2]
    np.testing.assert_array_equal(loaded(found).ground_truth, TRUTH)
    found = described(cube_path, path, unlabelled=(other, 0), name="b")
    np.testing.assert_array_equal(loaded(found).ground_truth, np.array([0, 0, 1, 2])[TRUTH])


@pytest.mark.parametrize("name", ["Corn", "Corn-no till", "Class 0", "Unclassified"])
def test_a_name_of_0_answers_that_question_only_if_it_means_no_class(tmp_path, cube_path, name):
    truth = with_values(255, 0, 1, 2).astype(np.uint8)
    truth[0, 0] = 3
    path = write_tiff(tmp_path / "truth.tif", truth, nodata=255, tags={"CLASS_0": name})
    if name == "Unclassified":
        assert described(cube_path, path).labels.unlabelled == (0, 255)
        return
    with pytest.raises(
        SceneFormatError, match=f"found 255 and also 0, '{name}', which may be a class; if it is, pass "
    ):
        described(cube_path, path)
    found = described(cube_path, path, unlabelled=(255,))
    assert [one.name for one in found.labels.classes][:2] == [name, "Class 1"]


def test_0_declared_as_no_data_answers_that_question(tmp_path, cube_path):
    path = write_tiff(tmp_path / "truth.tif", with_values(0, 1, 2, 255).astype(np.uint8), nodata=0)
    found = described(cube_path, path)
    assert found.labels.unlabelled == (0,) and [one.label for one in found.labels.classes] == [1, 2, 255]
    assert "--unlabelled=0,255" in found.labels.remarks[0]
    np.save(tmp_path / "t.npy", with_values(0, 1, 2, 255))
    with pytest.raises(SceneFormatError, match=r"if 0 alone means 'no class' --unlabelled=0, if both do"):
        described(cube_path, tmp_path / "t.npy", name="b")


def test_the_remark_on_the_name_of_0_keeps_other_labels_without_a_class(tmp_path, cube_path):
    tags = {"CLASS_0": "Corn"}
    path = write_tiff(tmp_path / "truth.tif", with_values(0, 1, 2, 3).astype(np.float32), nodata=0, tags=tags)
    with rasterio.open(path, "r+") as file:
        file.write(np.where(np.arange(17) == 16, np.nan, with_values(0, 1, 2, 3)).astype(np.float32), 1)
    found = described(cube_path, path)
    assert found.labels.unlabelled == (0, -1) and "'Corn', is taken as unlabelled" in found.labels.remarks[-1]
    assert found.labels.remarks[-1].endswith("pass --unlabelled=-1")


def test_nan_is_no_class_where_none_is_said_to_be_unlabelled(tmp_path, cube_path):
    found = described(cube_path, saved(tmp_path, with_values(np.nan, 0, 1, 2)), unlabelled=())
    assert found.labels.unlabelled == (-1,)
    np.testing.assert_array_equal(loaded(found).ground_truth, TRUTH)


@pytest.mark.parametrize("values, expected", [((7, 1, 2, 3), (7,)), ((255, 1, 2, 3), (255,))])
def test_a_declared_value_is_unlabelled(tmp_path, cube_path, values, expected):
    truth = write_tiff(tmp_path / "truth.tif", with_values(*values).astype(np.uint8), nodata=7)
    assert described(cube_path, truth).labels.unlabelled == expected


def test_the_user_says_what_is_unlabelled(tmp_path, cube_path):
    path = saved(tmp_path, with_values(0, 1, 255, -1))
    found = described(cube_path, path, unlabelled=(0, 255, -1, 9))
    assert [(one.label, one.name, one.pixels) for one in found.labels.classes] == [(1, "Class 1", (TRUTH == 1).sum())]
    assert loaded(found).ground_truth.sum() == (TRUTH == 1).sum()
    found = described(cube_path, path, name="b", unlabelled=())
    assert [one.label for one in found.labels.classes] == [-1, 0, 1, 255]


# --- types of numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64", "uint64", "bool", ">i4"])
def test_every_type_of_integers(tmp_path, cube_path, dtype):
    truth = (TRUTH > 0 if dtype == "bool" else TRUTH).astype(dtype)
    found = described(cube_path, saved(tmp_path, truth))
    np.testing.assert_array_equal(loaded(found).ground_truth, truth)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_floats_and_nan(tmp_path, cube_path, dtype):
    truth = with_values(0, 1, 2, 300).astype(dtype)
    scipy.io.savemat(tmp_path / "truth.mat", {"t": truth}, do_compression=True)
    found = described(cube_path, tmp_path / "truth.mat", name="a")
    assert [one.label for one in found.labels.classes] == [1, 2, 300]
    np.testing.assert_array_equal(loaded(found).ground_truth, TRUTH)
    truth[TRUTH == 0] = np.nan
    found = described(cube_path, saved(tmp_path, truth), name="b")
    assert np.load(tmp_path / "b-labels.npy").dtype == np.uint16
    assert found.labels.unlabelled == (0,) and f"{(TRUTH == 0).sum()} pixels are NaN" in found.labels.remarks[0]
    np.testing.assert_array_equal(loaded(found).ground_truth, TRUTH)
    found = described(cube_path, tmp_path / "truth.npy", name="c", unlabelled=(2,))
    np.testing.assert_array_equal(loaded(found).ground_truth, np.array([0, 1, 0, 2])[TRUTH])


# --- what is refused -------------------------------------------------------------------------------------------------


def one_hot(axis):
    return np.stack([(number == TRUTH).astype(np.uint8) for number in (1, 2, 3)], axis)


@pytest.mark.parametrize("axis", [0, 2])
def test_masks_of_classes_are_refused_with_a_remedy_that_works(tmp_path, cube_path, axis):
    masks = one_hot(axis)
    with pytest.raises(SceneFormatError, match="a mask for each class; join them") as caught:
        described(cube_path, saved(tmp_path, masks))
    code = str(caught.value).split("'labels.npy', ")[1].split(") where")[0]
    np.testing.assert_array_equal(eval(code, {"a": masks}), TRUTH)


@pytest.mark.parametrize("bands", [3, 4])
@pytest.mark.parametrize("driver", ["GTiff", "PNG"])
def test_pictures_with_colours_are_refused_with_a_remedy(tmp_path, cube_path, bands, driver):
    colours = np.array([[0, 0, 0, 255], [255, 0, 0, 255], [0, 200, 0, 255], [0, 0, 100, 255]], np.uint8)
    path = tmp_path / ("truth.tif" if driver == "GTiff" else "truth.png")
    kind = {"photometric": "RGB"} if driver == "GTiff" else {}
    write_tiff(path, colours[TRUTH][:, :, :bands], placed=False, driver=driver, **kind)
    with pytest.raises(
        SceneFormatError, match=f"found 21×17×{bands}, a picture with colours; save a map with the number"
    ) as caught:
        described(cube_path, path)
    check_numbering(str(caught.value), colours[TRUTH][:, :, :bands])


def test_a_picture_whose_colours_come_first_is_refused_with_a_remedy_that_works(tmp_path, cube_path):
    picture = np.array([[7, 7, 7], [255, 0, 0], [0, 200, 0], [0, 0, 100]], np.uint8)[TRUTH].transpose(2, 0, 1)
    with pytest.raises(SceneFormatError, match="found 3×21×17, a picture with colours") as caught:
        described(cube_path, saved(tmp_path, picture))
    check_numbering(str(caught.value), picture)


def check_numbering(message, picture):
    """That the advice numbers the colours from 1, one number for each label."""
    assert "pass the number of the background as --unlabelled (make: UNLABELLED)" in message
    code = message.split("'labels.npy', ")[1].split(") numbers the colours")[0]
    numbers = eval(code, {"numpy": np, "a": picture})
    assert numbers.shape == TRUTH.shape and set(numbers.ravel()) == {1, 2, 3, 4}
    assert len(set(zip(numbers.ravel(), TRUTH.ravel()))) == 4


def test_a_png_with_a_palette_is_a_map(tmp_path, cube_path):
    colours = {0: (0, 0, 0), 1: (255, 0, 0), 2: (0, 255, 0), 3: (0, 0, 255)}
    found = described(cube_path, write_tiff(tmp_path / "t.png", TRUTH, placed=False, colormap=colours, driver="PNG"))
    assert loaded(found).scene.palette == ("#ff0000", "#00ff00", "#0000ff")


@pytest.mark.parametrize(
    "array, complaint",
    [
        (TRUTH.astype(np.uint64) << 62, r"expected labels of at most 63 bits, found 13835058055282163712"),
        (TRUTH * 0.5, r"whole numbers as labels, found 0\.5"),
        (np.where(TRUTH, np.inf, 0), "found inf"),
        (TRUTH * 0, "no pixel has a label; leave out --labels"),
        (np.arange(21 * 17).reshape(21, 17), "at most 255 classes, found 356 labels, 1 to 356"),
        (np.dstack([TRUTH] * 5), "found 21×17×5; name another array"),
        (
            TRUTH.T,
            r"expected labels of 21×17 \(rows × columns\).*found 17×21: rows and columns are exchanged; transpose",
        ),
        (TRUTH[:-1], "expected labels of 21×17 .*found 20×17; give the labels of this cube"),
    ],
)
def test_what_is_no_map_of_labels(tmp_path, cube_path, array, complaint):
    with pytest.raises(SceneFormatError, match=complaint):
        described(cube_path, saved(tmp_path, array))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plot.npy", "truth.npy"]


@pytest.mark.parametrize("classes", [22, 255])
def test_many_classes(tmp_path, classes):
    truth = (np.arange(32 * 17).reshape(32, 17) // 2).clip(0, classes).astype(np.uint8)
    np.save(tmp_path / "plot.npy", cube(truth=truth))
    found = described(tmp_path / "plot.npy", saved(tmp_path, truth))
    scene = loaded(found).scene
    assert len(scene.class_names) == len(set(scene.palette)) == classes
    np.testing.assert_array_equal(loaded(found).ground_truth, truth)


def test_an_array_of_labels_with_an_axis_of_length_one(tmp_path, cube_path):
    found = described(cube_path, saved(tmp_path, TRUTH[None]))
    np.testing.assert_array_equal(loaded(found).ground_truth, TRUTH)


# --- names and colours -----------------------------------------------------------------------------------------------


def test_names_and_colours_that_occur_twice_are_told_apart(tmp_path, cube_path):
    names, colours = ["None", "Corn", "Corn", "Corn\u0085 \u2028 "], [(0, 0, 0), (1, 2, 3), (1, 2, 3), (4, 5, 6)]
    truth = write_classification(tmp_path / "truth.hdr", TRUTH, names, colours)
    found = described(cube_path, truth)
    assert [(one.name, one.colour) for one in found.labels.classes][:2] == [("Corn", "#010203"), ("Corn (2)", None)]
    scene = loaded(found).scene
    assert len(set(scene.class_names)) == len(set(scene.palette)) == 3 and scene.palette[2] == "#040506"


# --- position --------------------------------------------------------------------------------------------------------

# a change of the labels, and what has to be done with them: to transpose exchanges rows and columns, and so both flips
CHANGES = (
    (lambda array: array[::-1], "flipped top to bottom"),
    (lambda array: array[:, ::-1], "flipped left to right"),
    (lambda array: array[::-1, ::-1], "turned by 180°"),
    (lambda array: array.T, "transposed"),
    (lambda array: array.T[::-1], "transposed and flipped left to right"),
    (lambda array: array.T[:, ::-1], "transposed and flipped top to bottom"),
    (lambda array: array.T[::-1, ::-1], "transposed and turned by 180°"),
)


@pytest.fixture(scope="module")
def square():
    """A scene of 60×60 pixels with fields, and its labels."""
    truth = np.zeros((60, 60), np.uint8)
    random = np.random.RandomState(3)
    for number in range(1, 20):
        top, left = random.randint(0, 48, 2)
        truth[top : top + random.randint(5, 14), left : left + random.randint(5, 14)] = number % 6 + 1
    return cube("float32", truth), truth


@pytest.mark.parametrize("block", [1 << 24, 2000])
@pytest.mark.parametrize("wrong, undone", CHANGES, ids=[undone for _, undone in CHANGES])
def test_labels_in_another_position_are_found_by_their_borders(square, wrong, undone, block, monkeypatch):
    monkeypatch.setattr("shared_data.scenes.mapped._BLOCK_BYTES", block)
    array, truth = square
    valid = np.ones(truth.shape, bool)
    assert better_position(array, valid, wrong(truth)) == undone
    assert better_position(array, valid, truth) is None


def test_a_position_is_no_matter_where_borders_say_nothing(square):
    array, truth = square
    valid = np.ones(truth.shape, bool)
    random = np.random.RandomState(0)
    assert better_position(random.rand(60, 60, 6), valid, truth) is None
    assert better_position(array * 0, valid, truth.T) is None
    scattered = np.where(random.rand(60, 60) < 0.01, truth, 0)
    assert better_position(array, valid, scattered.T) is None
    assert better_position(array, np.zeros(truth.shape, bool), truth.T) is None


def test_pixels_without_data_make_no_borders(square):
    array, truth = square[0].copy(), square[1]
    valid = truth.T == 0
    array[~valid] = -9999  # edges where the transposed labels have their borders
    assert better_position(array, valid, truth) is None
    assert better_position(array, np.ones(truth.shape, bool), truth) == "transposed"


def test_a_position_that_does_not_fit_is_a_warning(tmp_path, square):
    np.save(tmp_path / "plot.npy", square[0])
    found = described(tmp_path / "plot.npy", saved(tmp_path, square[1].T))
    assert found.better_position == "transposed" and "would if the labels were transposed" in summary(found)


def test_labels_of_a_real_scene_have_their_position(real_data):
    from shared_data.scenes.loading import load_scene

    scene = load_scene("indianpines", real_data)
    valid = np.ones(scene.ground_truth.shape, bool)
    for rows, columns in ((slice(None), slice(None)), (slice(40), slice(40)), (slice(40, 90), slice(40, 90))):
        array, truth = scene.cube[rows, columns], scene.ground_truth[rows, columns]
        assert better_position(array, valid[rows, columns], truth) is None
        assert better_position(array, valid[rows, columns], truth.T) == "transposed"
        assert better_position(array, valid[rows, columns], truth[::-1]) == "flipped top to bottom"


def test_labels_of_another_key_than_the_cube_are_asked_for(tmp_path, cube_path):
    scipy.io.savemat(tmp_path / "t.mat", {"a": TRUTH, "b": TRUTH})
    with pytest.raises(SettingsError, match="--labels-key"):
        described(cube_path, tmp_path / "t.mat")
