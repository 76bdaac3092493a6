"""What `describe` finds among the values of a cube, and what a run then leaves out."""

import numpy as np
import pytest
import scipy.io

pytest.importorskip("h5py")
pytest.importorskip("spectral")
pytest.importorskip("rasterio")

import h5py
from own_files import cube, described, labels, loaded, write_envi, write_tiff

from shared_data.describe.bands import as_ranges, kept_bands
from shared_data.describe.extremes import Extremes, find_extremes, isolated
from shared_data.describe.summary import summary
from shared_data.errors import SceneFormatError, SettingsError

pytestmark = pytest.mark.stack_independent

GAPS = np.zeros(labels().shape, bool)
GAPS[:3, 4:9] = GAPS[20, 16] = True


@pytest.fixture
def truth_path(tmp_path):
    path = tmp_path / "truth.npy"
    np.save(path, labels())
    return path


def written(tmp_path, array):
    np.save(tmp_path / "plot.npy", array)
    return tmp_path / "plot.npy"


def fill_of(found):
    """Value, pixels, pixels with it in every band."""
    return [(one.value, one.pixels, one.whole) for one in found.values.fill]


# --- values for "no data" --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype, value",
    [
        ("float32", 9.969209968386869e36),
        ("float32", -9999),
        ("float64", -3.4028234663852886e38),
        ("float32", 1e20),
        ("int16", -9999),
        ("int16", -32768),
        ("uint16", 65535),
        ("uint8", 255),
        ("uint16", 0),
    ],
)
@pytest.mark.parametrize("in_some_bands", [False, True])
def test_undeclared_values_without_data_are_found_and_ignored(tmp_path, truth_path, dtype, value, in_some_bands):
    array = cube(dtype) if dtype != "uint8" else (cube() // 12).astype(np.uint8)
    bands = slice(0, 2) if in_some_bands else slice(None)
    array[GAPS, bands] = value
    found = described(written(tmp_path, array), truth_path)
    if in_some_bands and value in (0, 255):  # a value of real pixels, too, unless it fills whole ones
        assert fill_of(found) == [] and found.values.valid.all()
        return
    expected = np.dtype(dtype).type(value).item()
    assert fill_of(found) == [(expected, GAPS.sum(), 0 if in_some_bands else GAPS.sum())]
    assert (found.values.lowest, found.values.highest) == (array[~GAPS].min(), array[~GAPS].max())
    assert found.valid_pixels == tuple(np.bincount(labels()[~GAPS])[1:]) and labels()[GAPS].any()
    scene = loaded(found)
    np.testing.assert_array_equal(scene.valid, ~GAPS)
    np.testing.assert_array_equal(scene.ground_truth, np.where(GAPS, 0, labels()))


@pytest.mark.parametrize("value", [-1, -0.01, 1.5])
def test_the_outermost_value_has_no_data_if_it_fills_its_pixels(tmp_path, truth_path, value):
    array = cube("float32") / 6000
    array[GAPS] = value
    found = described(written(tmp_path, array), truth_path)
    assert fill_of(found) == [(np.float32(value), GAPS.sum(), GAPS.sum())]
    np.testing.assert_array_equal(loaded(found).valid, ~GAPS)
    array[0, 0, 3] = value  # a band of another pixel reaches it
    assert described(written(tmp_path, array), name="clipped").values.fill == ()
    array[GAPS] = cube("float32")[GAPS] / 6000
    array[0, 0] = value  # one pixel alone
    assert described(written(tmp_path, array), name="bright").values.fill == ()


def test_values_of_real_pixels_are_not_taken_for_gaps(tmp_path):
    saturated = cube()
    saturated[GAPS, 2:] = 65535  # in most bands
    saturated[5, :5, 0] = 9000, 14000, 22000, 35000, 50000
    dark = cube("int16")
    dark[GAPS, :3] = 0
    dark[4, 4] = -30  # after an atmospheric correction
    bright = cube()
    bright[0, 0] = 9000  # a roof
    for name, array in {"saturated": saturated, "dark": dark, "bright": bright}.items():
        found = described(written(tmp_path, array), name=name)
        assert found.values.fill == () and found.values.zero == 0
    mixed = cube()
    mixed[0, :5] = 0
    mixed[1, 0, 0] = 0
    found = described(written(tmp_path, mixed), name="mixed")
    assert found.values.fill == () and found.values.zero == 5


def test_several_values_without_data(tmp_path):
    array = cube("float32")
    array[0, :4], array[1, :7, 2], array[2, :2] = -9999, 9.969209968386869e36, -32768
    found = described(written(tmp_path, array))
    assert fill_of(found) == [(9.969209968386869e36, 7, 0), (-9999, 4, 4), (-32768, 2, 2)]


@pytest.mark.parametrize(
    "low, high, dtype, expected",
    [
        ((-9999, 0, 1), (10000, 9999), "int16", (-9999,)),
        ((-9999, -9998, 0), (10000, 9999), "int16", ()),  # no gap behind it
        ((-500, 0, 1), (10000, 9999), "int16", ()),
        ((-32768, -9999, 0, 1), (3000, 2999), "int16", (-32768, -9999)),
        ((0.1, 0.2), (9e36, 0.9, 0.8), "float32", (9e36,)),
        ((0.1, 0.2), (5.0, 0.9, 0.8), "float32", ()),  # glint
        ((0, 1), (65535, 30000, 29999), "uint16", (65535,)),
        ((0, 1), (65535, 40000, 39999), "uint16", ()),
        ((7,), (7,), "uint16", ()),
        ((0, 7), (7, 0), "uint16", ()),
        ((), (), "float32", ()),
    ],
)
def test_how_far_outside_a_value_lies(low, high, dtype, expected):
    assert isolated(Extremes(low, high), np.dtype(dtype)) == expected


@pytest.mark.parametrize("block", [64, 1 << 24])
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint64"])
def test_extremes_are_those_of_all_blocks(monkeypatch, block, dtype):
    monkeypatch.setattr("shared_data.scenes.mapped._BLOCK_BYTES", block)
    random = np.random.RandomState(1)
    array = random.randint(0, 50, (13, 7, 3)).astype(dtype)
    if dtype == "float32":
        array[3, 2], array[4, 1] = np.nan, np.inf
    numbers = np.unique(array[np.isfinite(array)])
    assert find_extremes(array, ()) == Extremes(tuple(numbers[:4].tolist()), tuple(numbers[:-5:-1].tolist()))
    assert find_extremes(array, (0, 2)).low == tuple(numbers[~np.isin(numbers, (0, 2))][:4].tolist())


def test_what_a_file_declares_is_ignored_where_it_occurs(tmp_path, truth_path):
    array = cube("int16")
    array[GAPS, 3] = 77  # nothing would find this
    envi = write_envi(tmp_path / "a.hdr", array, **{"data ignore value": 77})
    tiff = write_tiff(tmp_path / "b.tif", array, nodata=77)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("cube", data=array).attrs["_FillValue"] = np.array([77], np.int16)
    for path in (envi, tiff, tmp_path / "c.h5"):
        found = described(path, truth_path, name=path.stem)
        assert fill_of(found) == [(77, GAPS.sum(), 0)] and "declared" in found.values.fill[0].origin
        np.testing.assert_array_equal(loaded(found).valid, ~GAPS)
    absent = described(write_tiff(tmp_path / "d.tif", cube("int16"), nodata=77), name="d")
    assert absent.values.fill == () and "ignore_values" not in absent.description.read_text()


def test_the_user_says_which_values_have_no_data(tmp_path):
    array = cube("int16")
    array[GAPS], array[9, 9, 0] = -9999, 444
    path = written(tmp_path, array)
    found = described(path, name="a", ignore=(444, 65535, 0.5))
    assert fill_of(found)[0][0] == 444 and set(found.absent) == {65535, 0.5}
    assert "--ignore names, but no band has: " in summary(found)
    assert fill_of(described(path, name="b", ignore=())) == []


def test_a_scene_without_any_data_is_refused(tmp_path):
    array = cube("int16")
    array[:, :, 2] = -9999
    with pytest.raises(
        SceneFormatError, match=r"every pixel has a value for 'no data' .*-9999 \(357 pixels\).*--drop-b"
    ):
        described(written(tmp_path, array))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plot.npy"]
    assert described(tmp_path / "plot.npy", drop_bands="3").values.valid.all()


# --- NaN, infinities, large numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["npy", "mat", "tif"])
def test_nan_and_infinity_become_a_value_that_is_ignored(tmp_path, truth_path, kind, declared=None, expected=-9999):
    array = cube("float32")
    if declared == expected:
        array[10, 10, 0] = declared
    array[GAPS, 1:3] = np.nan
    array[7, 7, 0], array[8, 8] = np.inf, -np.inf
    path = tmp_path / f"plot.{kind}"
    if kind == "mat":
        scipy.io.savemat(path, {"cube": array})
    elif kind == "tif":
        write_tiff(path, array, nodata=declared)
    else:
        np.save(path, array)
    found = described(path, truth_path)
    assert (found.broken.nan, found.broken.infinite) == (GAPS.sum(), 2)
    written_cube = np.load(tmp_path / "my-plot-cube.npy")
    np.testing.assert_array_equal(written_cube, np.where(np.isfinite(array), array, np.float32(expected)))
    without = GAPS.copy()
    without[7, 7] = without[8, 8] = True
    without[10, 10] = declared == expected
    assert fill_of(found) == [(expected, without.sum(), 1)]
    np.testing.assert_array_equal(loaded(found).valid, ~without)


@pytest.mark.parametrize("declared, expected", [(-1, -1), (np.nan, -9999), (-2, -9999)])
def test_nan_becomes_the_declared_value_where_that_occurs(tmp_path, truth_path, declared, expected):
    test_nan_and_infinity_become_a_value_that_is_ignored(tmp_path, truth_path, "tif", declared, expected)


def test_the_value_for_nan_is_no_value_of_the_cube(tmp_path):
    array = cube("float64") - 20000
    array[3, 3, 3], array[3, 4, 4] = np.nan, -9999
    found = described(written(tmp_path, array))
    assert fill_of(found) == [(-99999, 1, 0)]
    assert np.isnan(np.load(tmp_path / "plot.npy")[3, 3, 3])  # the file of the user is left alone


def test_bands_of_nan_are_named(tmp_path):
    array = cube("float32")
    array[:, :, [1, 2, 4]] = np.nan
    with pytest.raises(SceneFormatError, match=r"every pixel has NaN or infinity .* --drop-bands=2-3,5"):
        described(written(tmp_path, array))
    found = described(tmp_path / "plot.npy", drop_bands="2-3,5")
    np.testing.assert_array_equal(loaded(found, labelled=False).cube, array[:, :, [0, 3, 5]])


def test_values_that_overflow_are_refused_unless_they_have_no_data(tmp_path):
    array = cube("float64")
    array[GAPS, 4] = np.linspace(1e19, 1e25, GAPS.sum())
    with pytest.raises(SceneFormatError, match=r"band 5 \(counted from 1\) has values up to 1e\+25"):
        described(written(tmp_path, array))
    array[GAPS, 4] = 1e25
    assert described(written(tmp_path, array)).values.valid.sum() == (~GAPS).sum()


@pytest.mark.parametrize(
    "array, complaint",
    [
        (np.full(cube().shape, 7.0), "every band has the same value at all pixels with data"),
        (cube("float64") * 1e-25, r"no band differ by more than 1.72e-22, .* multiply the cube"),
        (np.full(cube().shape, np.nan), "every pixel has NaN or infinity in some band; mend the cube"),
    ],
)
def test_values_from_which_nothing_can_be_learned_are_refused(tmp_path, array, complaint):
    with pytest.raises(SceneFormatError, match=complaint):
        described(written(tmp_path, array))


# --- bands -----------------------------------------------------------------------------------------------------------


def test_constant_bands_are_those_of_pixels_with_data(tmp_path):
    array = cube("int16")
    array[:, :, 1] = array[:, :, 5] = 7
    array[GAPS] = -9999
    assert described(written(tmp_path, array)).values.constant == (2, 6)


@pytest.mark.parametrize("interleave", ["bsq", "bip"])
def test_bad_bands_are_left_out_where_asked(tmp_path, truth_path, interleave):
    path = write_envi(tmp_path / "plot.hdr", cube(), interleave, bbl=[0, 1, 1, 1, 0, 1])
    assert described(path, truth_path, name="all").shape[2] == 6
    found = described(path, truth_path, drop_bands="bad,3-4")
    np.testing.assert_array_equal(loaded(found).cube, cube()[:, :, [1, 5]])
    assert "--drop-bands bad,3-4" in found.description.read_text()


def test_lists_of_bands():
    assert kept_bands(None, 5, ()) is None
    assert kept_bands("1, 3-4", 5, ()) == (1, 4) and kept_bands("bad", 4, (2, 4)) == (0, 2)
    assert as_ranges([1, 2, 3, 5, 8, 9]) == "1-3, 5, 8-9"
    for text, complaint in {
        "0": "expected bands 1 to 5",
        "6": "expected bands 1 to 5",
        "4-2": "expected bands 1 to 5",
        "x\n": r"found 'x\\n'",
        "": "found ''",
        "1-5": "no band is left",
        "bad": "marks no band as bad",
    }.items():
        with pytest.raises(SettingsError, match=complaint):
            kept_bands(text, 5, ())
