"""Files in foreign formats: the scene that a run loads is the one that was written, in every format."""

import sys

import numpy as np
import pytest
import scipy.io

pytest.importorskip("h5py")
pytest.importorskip("spectral")
pytest.importorskip("rasterio")

import h5py
import rasterio
from own_files import (
    CRS,
    TRANSFORM,
    cube,
    described,
    labels,
    loaded,
    write_classification,
    write_envi,
    write_mat73,
    write_tiff,
)

from shared_data.describe import arrays as parts
from shared_data.describe.place import envi_georeference
from shared_data.describe.readers import open_source
from shared_data.errors import SceneFormatError, SettingsError
from shared_data.export.classified import Classified
from shared_data.export.envi import write_envi as write_map
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Georeference

pytestmark = pytest.mark.stack_independent

CUBE, TRUTH = cube(), labels()


@pytest.fixture
def truth_path(tmp_path):
    path = tmp_path / "truth.npy"
    np.save(path, TRUTH)
    return path


def assert_same_scene(found, array=CUBE):
    scene = loaded(found)
    assert scene.cube.dtype == array.dtype and scene.verified and scene.valid is None
    np.testing.assert_array_equal(scene.cube, array)
    np.testing.assert_array_equal(scene.ground_truth, TRUTH)


def small_blocks(monkeypatch, size=4000):
    """Read in many blocks."""
    monkeypatch.setattr(parts.blocks, "__defaults__", (size,))


# --- formats that papers read themselves -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_a_matlab_5_file_and_a_numpy_file_stand_as_they_are(tmp_path, truth_path, dtype):
    array = cube(dtype) if dtype != "uint8" else (CUBE // 16).astype(np.uint8)
    scipy.io.savemat(tmp_path / "plot.mat", {"cube": array, "name": "plot"})
    np.save(tmp_path / "plot.npy", array)
    for name in ("plot.mat", "plot.npy"):
        found = described(tmp_path / name, truth_path, name=name.replace(".", "-"))
        assert found.copies == ()
        assert_same_scene(found, array)


@pytest.mark.parametrize("change", [np.asfortranarray, lambda array: array.astype(">u2")])
def test_a_numpy_file_that_networks_cannot_read_by_pixels_is_copied(tmp_path, truth_path, change, monkeypatch):
    small_blocks(monkeypatch)
    np.save(tmp_path / "plot.npy", change(CUBE))
    found = described(tmp_path / "plot.npy", truth_path)
    assert [path.name for path in found.copies] == ["my-plot-cube.npy"]
    assert np.load(found.copies[0]).flags.c_contiguous
    assert_same_scene(found)


def test_a_numpy_file_of_several_blocks_is_read_in_blocks(tmp_path, truth_path, monkeypatch):
    monkeypatch.setattr("shared_data.scenes.mapped._BLOCK_BYTES", 1000)  # of the checks
    array = cube("float32")
    array[20, 3, 5] = -9999  # in the last block
    array[0, 0, 1] = np.nan
    np.save(tmp_path / "plot.npy", array)
    small_blocks(monkeypatch)
    scene = loaded(described(tmp_path / "plot.npy", truth_path))
    assert list(zip(*map(list, np.nonzero(~scene.valid)))) == [(0, 0), (20, 3)]


# --- MATLAB 7.3 and HDF5 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [None, (4, 5, 6), (21, 17, 1), (1, 17, 6)])
def test_axes_of_a_matlab_73_file_are_put_right(tmp_path, chunks, monkeypatch):
    small_blocks(monkeypatch)
    path = write_mat73(tmp_path / "plot.mat", chunks, cube=CUBE)
    truth = write_mat73(tmp_path / "truth.mat", None, truth=TRUTH.astype(float))
    found = described(path, truth)
    assert found.cube.kind == "MATLAB 7.3 file (HDF5)" and "put right" in found.cube.remarks[0]
    assert found.labels.numbers.dtype == np.uint8
    assert_same_scene(found)


def test_an_array_that_matlab_wrote_is_known_without_the_text_before(tmp_path, truth_path):
    with h5py.File(tmp_path / "plot.mat", "w") as file:
        file.create_dataset("cube", data=CUBE.T).attrs["MATLAB_class"] = np.bytes_("uint16")
    assert_same_scene(described(tmp_path / "plot.mat", truth_path))


@pytest.mark.parametrize(
    "axes, said",
    [
        ((0, 1, 2), ""),
        ((2, 0, 1), "the first axis is that of the bands"),
        ((0, 2, 1), "the second axis is that of the bands"),
        ((2, 1, 0), "the axes are bands × columns × rows"),
    ],
)
def test_bands_on_another_axis_are_known_by_the_labels(tmp_path, axes, said, monkeypatch):
    small_blocks(monkeypatch)
    with h5py.File(tmp_path / "plot.h5", "w") as file:
        file.create_dataset("scene/reflectance", data=CUBE.transpose(axes))
        file["scene/truth"] = TRUTH
        file["scene/wavelengths"] = np.arange(6.0)
    found = described(tmp_path / "plot.h5", tmp_path / "plot.h5")
    assert (found.cube.key, found.labels_file.key) == ("scene/reflectance", "scene/truth")
    assert [said in remark for remark in found.cube.remarks] == [True] * bool(said)
    assert_same_scene(found)


def test_bands_that_may_come_first_are_a_remark_where_no_labels_tell(tmp_path):
    np.save(tmp_path / "plot.npy", CUBE.transpose(2, 0, 1))
    found = described(tmp_path / "plot.npy")
    assert found.shape == (6, 21, 17) and "if bands come first" in found.cube.remarks[0]
    np.save(tmp_path / "plot.npy", CUBE)
    assert described(tmp_path / "plot.npy", force=True).cube.remarks == ()
    tiff = write_tiff(tmp_path / "plot.tif", CUBE.transpose(2, 1, 0))
    assert described(tiff, name="b").cube.remarks == ()  # the format says it


def test_an_order_of_the_axes_that_no_labels_tell_is_a_remark(tmp_path):
    square = TRUTH[:17]
    equal = np.dstack([CUBE[:17]] * 3)[:, :, :17]
    np.save(tmp_path / "truth.npy", square)
    np.save(tmp_path / "plot.npy", equal)
    found = described(tmp_path / "plot.npy", tmp_path / "truth.npy")
    assert found.shape == (17, 17, 17) and "fits another order" in found.cube.remarks[0]
    # of labels that fit bands first as they are, and bands last if transposed, the first is meant
    np.save(tmp_path / "truth.npy", TRUTH)
    np.save(tmp_path / "plot.npy", np.dstack([CUBE] * 3)[:, :, :17].transpose(2, 0, 1))
    found = described(tmp_path / "plot.npy", tmp_path / "truth.npy", force=True)
    assert found.shape == (21, 17, 17) and "the first axis is that of the bands" in found.cube.remarks[0]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_scene_of_one_row_or_column(tmp_path, axis):
    line, truth = (np.take(array, [5], axis) for array in (CUBE, TRUTH))
    np.save(tmp_path / "line.npy", line)
    scipy.io.savemat(tmp_path / "truth.mat", {"note": np.ones((1, 3)), "truth": truth})
    scene = loaded(described(tmp_path / "line.npy", tmp_path / "truth.mat"))
    np.testing.assert_array_equal(scene.cube, line)
    assert np.array_equal(scene.ground_truth > 0, truth > 0)


def test_several_arrays_that_fit_are_named(tmp_path, truth_path):
    path = write_mat73(tmp_path / "plot.mat", radiance=CUBE, reflectance=CUBE, mask=TRUTH)
    with pytest.raises(SettingsError, match=r"radiance, reflectance; choose one with --cube-key.*'mask' 21×17"):
        described(path, truth_path)
    with pytest.raises(
        SettingsError, match=r"no array .* named 'other' \(--cube-key\); there are: .*'radiance' 21×17×6"
    ):
        described(path, truth_path, cube_key="other")
    assert described(path, path, cube_key="radiance").labels_file.key == "mask"
    scipy.io.savemat(tmp_path / "labels.mat", {"train": TRUTH, "test": TRUTH, "other size": TRUTH.T})
    with pytest.raises(SettingsError, match=r"train, test; choose one with --labels-key"):
        described(path, tmp_path / "labels.mat", name="b", cube_key="radiance")
    described(path, tmp_path / "labels.mat", name="b", cube_key="radiance", labels_key="test")
    with pytest.raises(SettingsError, match=r"has no name; leave out --labels-key"):
        described(path, truth_path, name="c", cube_key="radiance", labels_key="x")


def test_numbers_outside_of_the_file_are_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"\1" * CUBE.nbytes)
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("cube", CUBE.shape, CUBE.dtype, external=[(str(tmp_path / "secret"), 0, CUBE.nbytes)])
    layout = h5py.VirtualLayout(CUBE.shape, CUBE.dtype)
    layout[:] = h5py.VirtualSource(str(tmp_path / "external.h5"), "cube", CUBE.shape)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("cube", layout)
    for name in ("external.h5", "virtual.h5"):
        with pytest.raises(SceneFormatError, match="lie in other files"):
            described(tmp_path / name)


def test_a_dataset_larger_than_its_file_can_hold_is_refused(tmp_path):
    with h5py.File(tmp_path / "plot.h5", "w") as file:
        file.create_dataset("cube", (10**6, 10**6, 100), "f8", chunks=(10, 10, 10))
    with pytest.raises(SceneFormatError, match="claims the shape 1000000×1000000×100, more than the file can hold"):
        described(tmp_path / "plot.h5")


# --- ENVI ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("named", ["plot.hdr", "plot.img"])
def test_an_envi_cube(tmp_path, truth_path, interleave, named, monkeypatch):
    small_blocks(monkeypatch)
    write_envi(
        tmp_path / "plot.hdr", CUBE, interleave, bbl=[1, 1, 0, 0, 1, 0], wavelength=[400, 500, 600, 700, 800, 2500],
        **{"wavelength units": "Nanometers"},
    )  # fmt: skip
    found = described(tmp_path / named, truth_path)
    assert found.cube.path == tmp_path / "plot.img" and interleave in found.cube.kind
    assert found.cube.header.bad_bands == (3, 4, 6) and found.cube.header.wavelengths == "400 to 2500 nm"
    assert_same_scene(found)


def test_a_big_endian_envi_cube_and_a_data_file_without_extension(tmp_path, truth_path):
    write_envi(tmp_path / "plot.hdr", CUBE.astype(">u2"))
    (tmp_path / "plot.img").rename(tmp_path / "plot")
    assert_same_scene(described(tmp_path / "plot.hdr", truth_path))


def test_names_and_colours_of_an_envi_classification(tmp_path):
    write_envi(tmp_path / "plot.hdr", CUBE)
    names, colours = ["Unclassified", "Corn", "Äcker", "Woods"], [(0, 0, 0), (255, 0, 0), (0, 255, 1), (0, 0, 255)]
    truth = write_classification(tmp_path / "truth.hdr", TRUTH, names, colours)
    found = described(tmp_path / "plot.hdr", truth)
    scene = loaded(found).scene
    assert scene.class_names == tuple(names[1:]) and scene.palette == ("#ff0000", "#00ff01", "#0000ff")
    assert_same_scene(found)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_an_envi_header_in_another_encoding(tmp_path, encoding):
    write_envi(tmp_path / "plot.hdr", CUBE)
    write_classification(
        tmp_path / "truth.hdr", TRUTH, ["None", "Corn", "Acker", "Woods"], [(0, 0, n) for n in range(4)]
    )
    header = tmp_path / "truth.hdr"
    header.write_text(header.read_text().replace("Acker", "Äcker"), encoding=encoding)
    found = described(tmp_path / "plot.hdr", header)
    assert loaded(found).scene.class_names == ("Corn", "Äcker", "Woods")
    assert_same_scene(found)


def test_damaged_envi_files(tmp_path):
    header = write_envi(tmp_path / "plot.hdr", CUBE)
    good = header.read_text()
    for change, complaint in (
        (good.replace("lines = 21", "lines = 2100000000"), r"its header says 2100000000×17×6 of uint16, .* bytes, and"),
        (good.replace("data type = 12", "data type = 6"), "complex"),
        (good.replace("data type = 12", "data type = 77"), "cannot be read"),
        (good.replace("ENVI", "OTHER"), "expected an ENVI file, which cannot be read"),
        (good + "file compression = 1\n", "compressed"),
        (good.replace("samples = 17", "samples = many"), "cannot be read"),
    ):
        assert change != good
        header.write_text(change)
        with pytest.raises(SceneFormatError, match=complaint):
            described(header)
    (tmp_path / "plot.img").unlink()
    with pytest.raises(SceneFormatError, match=r"no file with the numbers beside .*plot\.img or plot\.dat"):
        described(header)


@pytest.mark.parametrize("rotation", [0, 30, -12.5, 180, -180])
@pytest.mark.parametrize(
    "info, crs",
    [
        ("UTM, 1, 1, 500000, 4480000, 20, 20, 16, North, WGS-84, units=Meters", CRS),
        ("UTM, 3.5, 7, 500000, 4480000, 20, 10, 55, South, WGS-84, units=Meters", "EPSG:32755"),
        ("Geographic Lat/Lon, 1, 1, -86.5, 40.25, 0.001, 0.002, WGS-84, units=Degrees", "EPSG:4326"),
    ],
)
def test_the_place_of_an_envi_file_is_that_of_gdal(tmp_path, info, crs, rotation):
    info += f", rotation={rotation}"
    header = write_envi(tmp_path / "plot.hdr", CUBE, **{"map info": "{" + info + "}"})
    assert "rotation" in header.read_text()
    found = described(header).georeference
    with rasterio.open(tmp_path / "plot.img") as file:
        np.testing.assert_allclose(found.transform, file.transform.to_gdal(), rtol=1e-9, atol=1e-9)
        assert file.crs == rasterio.crs.CRS.from_user_input(found.crs)
    assert found.crs == crs


@pytest.mark.parametrize("crs", [CRS, "EPSG:2227"])  # in metres, and in feet
def test_an_exported_map_of_rows_from_south_to_north_lies_where_it_did(tmp_path, crs):
    where = Georeference(crs, (500000.0, 20.0, 0.0, 4480000.0, 0.0, 10.0))
    write_map(tmp_path, Classified("a map", TRUTH, ("a", "b", "c"), ("#000001", "#000002", "#000003"), where))
    source = open_source(tmp_path / "class_map.hdr")
    assert source.open("class_map")[1].georeference == where
    with rasterio.open(tmp_path / "class_map.img") as file:
        assert file.transform.to_gdal() == where.transform


@pytest.mark.parametrize("unit", ["Seconds", "Feet", "km"])
def test_a_place_of_envi_in_other_units_is_not_taken(unit):
    info = ["UTM", "1", "1", "500000", "4480000", "20", "20", "16", "North", "WGS-84", f"units={unit}"]
    georeference, note = envi_georeference({"map info": info})
    assert georeference is None and f"is in {unit}, not in Meters or Degrees: no georeference is written" in note


@pytest.mark.parametrize(
    "entries, noted",
    [
        ({"reflectance scale factor": 10000}, True),
        ({"data gain values": [1, 1, 1, 1, 1, 0.5], "data offset values": [0] * 6}, True),
        ({"data offset values": [0, 0, 0, 0, 0, 3]}, True),
        ({"reflectance scale factor": 1.0, "data gain values": [1] * 6, "data offset values": [0] * 6}, False),
    ],
)
def test_a_scale_in_an_envi_header_is_said(tmp_path, entries, noted):
    header = write_envi(tmp_path / "plot.hdr", CUBE, **entries)
    assert described(header).cube.remarks == (parts.AS_STORED,) * noted


@pytest.mark.parametrize("name, neutral", [("scale_factor", 1), ("add_offset", 0)])
def test_a_scale_of_an_hdf5_dataset_is_said(tmp_path, name, neutral):
    for value in (neutral, 0.5):
        path = write_mat73(tmp_path / "plot.mat", cube=CUBE)
        with h5py.File(path, "r+") as file:
            file["cube"].attrs[name] = value
        assert (parts.AS_STORED in described(path, force=True).cube.remarks) == (value != neutral)


def test_coordinate_systems_of_envi_as_text():
    info = ["UTM", "1", "1", "500000", "4480000", "20", "20", "16", "North", "North America 1927", "units=Meters"]
    assert envi_georeference({}) == (None, "")
    assert envi_georeference({"map info": ["Arbitrary", "1", "1", "0", "0", "1", "1"]}) == (None, "")
    assert "names no coordinate system" in envi_georeference({"map info": info})[1]
    assert "cannot be read" in envi_georeference({"map info": ["UTM", "x"]})[1]
    esri = (
        'PROJCS["WGS_1984_UTM_Zone_16N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,'
        '298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
        'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",-87.0],'
        'PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
    )
    found, note = envi_georeference({"map info": info, "coordinate system string": esri.split(",")})
    assert found.crs == CRS and note == ""
    found, _ = envi_georeference({"map info": info, "coordinate system string": "what nobody knows"})
    assert found.crs == "what nobody knows"


# --- GeoTIFF ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"interleave": "pixel"}, {"tiled": True, "blockxsize": 16, "blockysize": 16}])
def test_a_geotiff_cube_and_labels_with_names_and_colours(tmp_path, options, monkeypatch):
    small_blocks(monkeypatch)
    path = write_tiff(tmp_path / "plot.tif", CUBE, compress="deflate", **options)
    tags = {"CLASS_0": "Unclassified", "CLASS_1": "Corn", "CLASS_3": "Woods"}
    truth = write_tiff(
        tmp_path / "truth.tif", TRUTH, colormap={0: (0, 0, 0), 1: (255, 0, 0), 2: (0, 9, 0), 3: (1, 2, 3)}, tags=tags
    )
    found = described(path, truth)
    assert tuple(found.georeference) == (CRS, TRANSFORM)
    scene = loaded(found).scene
    assert scene.georeference == (CRS, TRANSFORM)
    assert scene.class_names == ("Corn", "Class 2", "Woods") and scene.palette == ("#ff0000", "#000900", "#010203")
    assert_same_scene(found)


def test_class_names_that_gdal_keeps_beside_a_geotiff(tmp_path):
    path, truth = write_tiff(tmp_path / "plot.tif", CUBE), write_tiff(tmp_path / "truth.tif", TRUTH)
    (tmp_path / "truth.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category>None</Category><Category>Corn</Category>'
        "<Category/><Category>Wood &amp; more\n</Category></CategoryNames></PAMRasterBand></PAMDataset>"
    )
    assert loaded(described(path, truth)).scene.class_names == ("Corn", "Class 2", "Wood & more")


def test_a_geotiff_of_which_no_place_is_known(tmp_path):
    assert described(write_tiff(tmp_path / "plot.tif", CUBE, placed=False)).georeference is None
    path = write_tiff(tmp_path / "b.tif", CUBE, placed=False, transform=rasterio.Affine.from_gdal(*TRANSFORM))
    found = described(path, name="b")
    assert found.georeference is None and "no coordinate system" in found.cube.remarks[0]


# --- other files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "package, module, name",
    [("rasterio", "rasterio", "a.tif"), ("spectral", "spectral.io.envi", "a.hdr"), ("h5py", "h5py", "a.mat")],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, package, module, name):
    write = {"a.tif": write_tiff, "a.hdr": write_envi, "a.mat": lambda path, array: write_mat73(path, cube=array)}
    path = write[name](tmp_path / name, CUBE)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SceneFormatError, match=rf"{name}: an? .* run 'pip install {package}'"):
        described(path)


def test_what_is_no_scene_is_named(tmp_path):
    flat, pair, text = tmp_path / "flat.npy", tmp_path / "pair.npz", tmp_path / "cells.mat"
    np.save(flat, TRUTH)
    np.savez(pair, CUBE)
    scipy.io.savemat(text, {"names": "abc"})
    (tmp_path / "page.img").write_text("<!DOCTYPE html>")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY\1\0\x10\0{'descr': os.system(")
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\1" * 4000)
    (tmp_path / "bad.tif").write_bytes(b"II*\0" + b"\7" * 4000)
    np.save(tmp_path / "words.npy", np.full((3, 3, 3), "text"))
    np.save(tmp_path / "waves.npy", CUBE.astype(np.complex64))
    write_envi(tmp_path / "radar.hdr", CUBE.astype(np.complex64))
    for name, complaint in {
        "flat.npy": "expected a cube, an array with three axes, found .*'flat' 21×17",
        "pair.npz": r"expected MATLAB .* found another format",
        "cells.mat": "found no array of real numbers; complex numbers, structures",
        "page.img": "web page",
        "bad.npy": "header of the numpy file cannot be read",
        "bad.h5": "expected an HDF5 file, which cannot be read",
        "bad.tif": "expected a GeoTIFF file, which cannot be read",
        "words.npy": r"found texts or other objects; number the classes, if .*numpy\.unique",
        "waves.npy": r"found values of type complex64; save their amplitude",
        "radar.hdr": r"radar\.img: expected real numbers, found complex64; save their amplitude",
        "absent.npy": "there is no such file",
        ".": "it is a folder",
    }.items():
        with pytest.raises(SceneFormatError, match=complaint) as caught:
            described(tmp_path / name)
        assert one_line(caught.value, 2000) == str(caught.value)
    assert not list(tmp_path.glob("*.toml")) + list(tmp_path.glob(".*"))
