"""Loading scenes: which file is used, what is said of it, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from shared_data.errors import SceneFormatError, SceneNotFoundError, SceneVerificationError, UnknownNameError
from shared_data.scenes import catalogue
from shared_data.scenes import loading as scene
from shared_data.scenes.loading import data_folders, load_scene, verify_scene


def test_verified_scene_is_loaded_as_stored(tiny):
    loaded = load_scene("tiny", data=tiny.folder)
    assert loaded.scene == tiny.scene
    assert loaded.verified
    assert loaded.cube.dtype == np.uint16
    assert loaded.ground_truth.dtype == np.uint8
    np.testing.assert_array_equal(loaded.cube, tiny.cube)
    np.testing.assert_array_equal(loaded.ground_truth, tiny.ground_truth)
    assert [(file.name, file.sha256, file.verified) for file in loaded.files] == [
        ("Tiny.mat", tiny.scene.cube.sha256, True),
        ("Tiny_gt.mat", tiny.scene.ground_truth.sha256, True),
    ]
    assert loaded.files[0].path == str(tiny.folder / "Tiny.mat")


def test_unknown_slug():
    with pytest.raises(UnknownNameError, match="'paris'"):
        load_scene("paris")


# where the files are looked for


def test_folders_come_from_the_argument_then_the_environment_then_the_checkout(monkeypatch, tmp_path):
    monkeypatch.delenv("HSI_DATA", raising=False)
    checkout = Path(scene.__file__).resolve().parents[2]
    assert data_folders() == data_folders("") == [checkout / "raw"]
    monkeypatch.setenv("HSI_DATA", os.pathsep.join(["/first", "", "/second"]))
    assert data_folders() == [Path("/first"), Path("/second")]
    assert data_folders(os.pathsep.join(["/third", "/fourth"])) == [Path("/third"), Path("/fourth")]
    assert data_folders(["/fifth", tmp_path]) == [Path("/fifth"), tmp_path]
    assert data_folders("~/data") == [Path.home() / "data"]


def test_an_installed_package_looks_below_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("HSI_DATA", raising=False)
    monkeypatch.setattr(scene, "__file__", str(tmp_path / "site-packages" / "shared_data" / "scene.py"))
    assert data_folders() == [Path("shared_data") / "raw"]


def test_environment_names_the_folder(tiny, monkeypatch):
    monkeypatch.setenv("HSI_DATA", str(tiny.folder))
    assert load_scene("tiny").verified


def test_the_first_folder_with_a_valid_file_wins_file_by_file(tiny, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    tiny.write(tiny.scene.cube, tiny.cube + 1, other)
    (tiny.folder / "Tiny_gt.mat").rename(other / "Tiny_gt.mat")
    loaded = load_scene("tiny", data=[tmp_path / "absent", other, tiny.folder], unverified=True)
    assert loaded.verified
    assert [file.path for file in loaded.files] == [str(tiny.folder / "Tiny.mat"), str(other / "Tiny_gt.mat")]


def test_missing_file_names_folders_hash_and_command(tiny, tmp_path):
    (tiny.folder / "Tiny_gt.mat").unlink()
    with pytest.raises(SceneNotFoundError) as error:
        load_scene("tiny", data=[tiny.folder, tmp_path / "absent"])
    message = str(error.value)
    assert message.startswith("tiny: Tiny_gt.mat (sha256 " + tiny.scene.ground_truth.sha256)
    assert f"not found in {tiny.folder}, {tmp_path / 'absent'} (no such folder)" in message
    assert "make data-tiny" in message


def test_a_folder_of_the_files_name_is_not_the_file(tiny):
    (tiny.folder / "Tiny.mat").unlink()
    (tiny.folder / "Tiny.mat").mkdir()
    with pytest.raises(SceneNotFoundError, match="there, but it cannot be read"):
        load_scene("tiny", data=tiny.folder)


# verified or not


def test_other_bytes_are_refused_with_both_hashes_and_a_remedy(tiny):
    found = tiny.write(tiny.scene.cube, tiny.cube + 1)
    with pytest.raises(SceneVerificationError) as error:
        load_scene("tiny", data=tiny.folder)
    for part in (str(tiny.folder / "Tiny.mat"), tiny.scene.cube.sha256, found, "UNVERIFIED=1", "make data-tiny"):
        assert part in str(error.value)


def test_other_bytes_are_loaded_and_marked_when_asked_for(tiny):
    found = tiny.write(tiny.scene.cube, tiny.cube + 1)
    loaded = load_scene("tiny", data=tiny.folder, unverified=True)
    assert not loaded.verified
    assert [(file.sha256, file.expected_sha256, file.verified) for file in loaded.files] == [
        (found, tiny.scene.cube.sha256, False),
        (tiny.scene.ground_truth.sha256, tiny.scene.ground_truth.sha256, True),
    ]
    np.testing.assert_array_equal(loaded.cube, tiny.cube + 1)


def test_without_a_catalogue_hash_the_opt_in_is_needed(tiny, know):
    manual = tiny.scene._replace(
        access="manual",
        cube=tiny.scene.cube._replace(sha256=None, urls=()),
        ground_truth=tiny.scene.ground_truth._replace(sha256=None, urls=()),
    )
    know(manual)
    with pytest.raises(SceneVerificationError, match=r"the catalogue knows no hash for it.*--unverified"):
        load_scene("tiny", data=tiny.folder)
    loaded = load_scene("tiny", data=tiny.folder, unverified=True)
    assert not loaded.verified
    assert loaded.files[0].expected_sha256 is None


def test_houston_says_how_to_get_it(tmp_path):
    with pytest.raises(SceneNotFoundError, match=r"CASI_349_1905_144\.mat not found.*licensed.*README"):
        load_scene("houston", data=tmp_path, unverified=True)


def test_verify_reports_without_judging(tiny):
    found = tiny.write(tiny.scene.cube, tiny.cube + 1)
    assert [(file.name, file.sha256, file.verified) for file in verify_scene("tiny", tiny.folder)] == [
        ("Tiny.mat", found, False),
        ("Tiny_gt.mat", tiny.scene.ground_truth.sha256, True),
    ]
    (tiny.folder / "Tiny.mat").unlink()
    with pytest.raises(SceneNotFoundError, match=r"Tiny\.mat"):
        verify_scene("tiny", tiny.folder)


# the same values, written otherwise


def same_arrays(loaded, other):
    """Equal values, types and memory order, so that every sum over them is taken in the same order."""
    for name in ("cube", "ground_truth"):
        one, two = getattr(loaded, name), getattr(other, name)
        assert one.dtype == two.dtype and one.dtype.isnative and one.strides == two.strides
        assert not isinstance(one, np.memmap)
        np.testing.assert_array_equal(one, two)


def as_mat(dtype, compressed):
    def write(path, key, array):
        scipy.io.savemat(str(path), {key: array.astype(dtype), "note": "written anew"}, do_compression=compressed)

    return write


def as_npy(dtype, order):
    def write(path, _, array):
        path.unlink()
        np.save(str(path.with_suffix(".npy")), array.astype(dtype, order=order))

    return write


@pytest.mark.parametrize(
    "write",
    [
        as_mat("uint16", False), as_mat("float64", True), as_mat("int32", True),
        as_npy("<u2", "C"), as_npy("<u2", "F"), as_npy(">u2", "C"), as_npy("f8", "F"), as_npy("i8", "C"),
    ],
)  # fmt: skip
def test_the_same_values_written_otherwise_are_verified_and_loaded_as_from_the_official_file(hashed, write):
    official = load_scene("tiny", data=hashed.folder)
    for file, array in ((hashed.scene.cube, hashed.cube), (hashed.scene.ground_truth, hashed.ground_truth)):
        write(hashed.folder / file.name, file.key, array)
    loaded = load_scene("tiny", data=hashed.folder)
    assert loaded.verified
    for found, file in zip(loaded.files, (hashed.scene.cube, hashed.scene.ground_truth)):
        assert (found.name, found.verified_by) == (file.name, "content")
        assert found.content_sha256 == file.content.sha256
        assert found.sha256 == scene.file_sha256(found.path) != found.expected_sha256 == file.sha256
    same_arrays(loaded, official)
    assert [file.identity for file in loaded.files] == [file.identity for file in official.files]


def test_a_record_names_the_data_as_the_run_did(hashed):
    as_npy("<u2", "C")(hashed.folder / "Tiny.mat", "tiny", hashed.cube)
    hashed.write(hashed.scene.ground_truth, hashed.ground_truth[::-1])
    files = load_scene("tiny", data=hashed.folder, unverified=True).files
    record = {"data": [dict(file._asdict(), verified=file.verified) for file in files]}
    assert scene.data_identities(record) == {file.name: file.identity for file in files}
    assert [file.identity for file in files] == [hashed.scene.cube.sha256, files[1].sha256]
    for file in record["data"]:  # as records were before contents were known
        del file["verified_by"], file["content_sha256"]
    assert scene.data_identities(record) == {file.name: file.sha256 for file in files}


def test_the_official_file_is_verified_by_its_bytes_and_its_values_are_not_hashed(hashed):
    for found in load_scene("tiny", data=hashed.folder).files:
        assert (found.verified_by, found.content_sha256) == ("file", None)


@pytest.mark.parametrize("write", [as_mat("uint16", True), as_npy("<u2", "F")])
def test_one_value_changed_by_one_is_refused_with_the_hash_of_the_values(hashed, write):
    changed = hashed.cube.copy()
    changed[5, 4, 3] += 1
    write(hashed.folder / "Tiny.mat", "tiny", changed)
    with pytest.raises(SceneVerificationError) as error:
        load_scene("tiny", data=hashed.folder)
    values = scene.content_sha256(changed, "uint16")
    assert f"(of its values {values}, not {hashed.scene.cube.content.sha256})" in str(error.value)
    loaded = load_scene("tiny", data=hashed.folder, unverified=True)
    assert not loaded.verified and loaded.files[0].content_sha256 == values
    assert loaded.files[0].identity == loaded.files[0].sha256
    np.testing.assert_array_equal(loaded.cube, changed)


@pytest.mark.parametrize(
    "other", [lambda cube: cube[:, :, :3], lambda cube: cube.reshape(5, 6, 4), lambda cube: cube / 7]
)
def test_another_shape_or_fractions_have_no_hash_of_the_values(hashed, other):
    as_npy("f8", "C")(hashed.folder / "Tiny.mat", "tiny", other(hashed.cube))
    with pytest.raises(SceneVerificationError, match=r"Tiny\.npy is not the catalogue's file: .*found [0-9a-f]{64};"):
        load_scene("tiny", data=hashed.folder)


def test_a_verified_numpy_file_wins_over_another_matlab_file(hashed):
    as_npy("<u2", "C")(hashed.folder / "Tiny.mat", "tiny", hashed.cube)
    hashed.write(hashed.scene.cube, hashed.cube + 1)
    loaded = load_scene("tiny", data=hashed.folder, unverified=True)
    assert loaded.verified and loaded.files[0].path == str(hashed.folder / "Tiny.npy")


def test_no_pickle_is_loaded(hashed):
    as_npy("object", "C")(hashed.folder / "Tiny.mat", "tiny", hashed.cube)
    with pytest.raises(SceneFormatError, match="expected real numbers"):
        load_scene("tiny", data=hashed.folder, unverified=True)


def test_big_endian_numbers_are_loaded_in_the_machines_order(tiny):
    as_npy(">f4", "C")(tiny.folder / "Tiny.mat", "tiny", tiny.cube)
    loaded = load_scene("tiny", data=tiny.folder, unverified=True)
    assert not loaded.verified and loaded.cube.dtype == np.float32 and loaded.cube.dtype.isnative


# what is in the files


def load_unverified(tiny):
    return load_scene("tiny", data=tiny.folder, unverified=True)


def test_cube_of_another_size_is_refused(tiny):
    tiny.write(tiny.scene.cube, tiny.cube[:, :, :3])
    with pytest.raises(SceneFormatError, match=r"Tiny\.mat: expected 'tiny' to have the shape 6×5×4, found 6×5×3"):
        load_unverified(tiny)


def test_ground_truth_of_another_size_than_the_cube_is_refused(tiny):
    tiny.write(tiny.scene.ground_truth, tiny.ground_truth.T)
    with pytest.raises(SceneFormatError, match=r"Tiny_gt\.mat: .*shape 6×5, found 5×6"):
        load_unverified(tiny)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tiny, bad):
    cube = tiny.cube.astype(np.float32)
    cube[2, 3, 1] = bad
    tiny.write(tiny.scene.cube, cube)
    with pytest.raises(SceneFormatError, match="row 2, column 3, band 1"):
        load_unverified(tiny)


def test_float_cube_keeps_its_dtype(tiny):
    tiny.write(tiny.scene.cube, tiny.cube.astype(np.float32) / 7)
    assert load_unverified(tiny).cube.dtype == np.float32


@pytest.mark.parametrize("dtype", ["int16", "float64"])
def test_whole_labels_of_any_type_become_uint8(tiny, dtype):
    tiny.write(tiny.scene.ground_truth, tiny.ground_truth.astype(dtype))
    ground_truth = load_unverified(tiny).ground_truth
    assert ground_truth.dtype == np.uint8
    assert ground_truth.flags.c_contiguous
    np.testing.assert_array_equal(ground_truth, tiny.ground_truth)


@pytest.mark.parametrize(
    "label, complaint",
    [
        (1.5, "whole numbers"),
        (np.nan, "whole numbers"),
        (np.inf, r"labels 0\.\.3, found 0\.\.inf"),
        (-1, r"labels 0\.\.3, found -1\.\.3"),
        (4, r"labels 0\.\.3, found 0\.\.4"),
        (256, r"labels 0\.\.3, found 0\.\.256"),
    ],
)
def test_bad_labels_are_refused(tiny, label, complaint):
    labels = tiny.ground_truth.astype(np.float64)
    labels[0, 0] = label
    tiny.write(tiny.scene.ground_truth, labels)
    with pytest.raises(SceneFormatError, match=complaint):
        load_unverified(tiny)


def test_ground_truth_without_labels_is_refused(tiny):
    tiny.write(tiny.scene.ground_truth, np.zeros((6, 5), np.uint8))
    with pytest.raises(SceneFormatError, match="no labelled pixel"):
        load_unverified(tiny)


def test_a_scene_without_labels_is_loaded_where_none_is_needed(tiny, know):
    tiny.write(tiny.scene.ground_truth, np.zeros_like(tiny.ground_truth))
    loaded = load_scene("tiny", data=tiny.folder, unverified=True, labelled=False)
    assert not loaded.is_labelled and loaded.ground_truth.shape == (6, 5) and len(loaded.files) == 2
    know(tiny.scene._replace(ground_truth=None))
    loaded = load_scene("tiny", data=tiny.folder, labelled=False)
    assert not loaded.is_labelled and loaded.ground_truth.shape == (6, 5) and loaded.verified
    np.testing.assert_array_equal(loaded.cube, tiny.cube)
    with pytest.raises(
        SceneFormatError, match="tiny: the catalogue has no ground truth for this scene, so it can only"
    ):
        load_scene("tiny", data=tiny.folder)


def test_web_page_in_place_of_the_cube_is_named(tiny):
    (tiny.folder / "Tiny.mat").write_text("<!DOCTYPE html><html>Not found</html>")
    with pytest.raises(SceneFormatError, match="web page"):
        load_unverified(tiny)


# a memory-mapped cube


@pytest.fixture
def mapped(tiny, know):
    """The tiny scene with its cube in a .npy file; writes another cube there and says the file's path."""

    def write(cube):
        path = tiny.folder / "Tiny.npy"
        np.save(str(path), cube)
        file = tiny.scene.cube._replace(name="Tiny.npy", key=None, sha256=scene.file_sha256(path))
        know(tiny.scene._replace(cube=file))
        return path

    return write


def test_a_numpy_cube_is_mapped_and_verified(tiny, mapped):
    path = mapped(tiny.cube)
    loaded = load_scene("tiny", data=tiny.folder)
    assert loaded.verified and loaded.files[0].path == str(path)
    assert isinstance(loaded.cube, np.memmap) and loaded.cube.dtype == np.uint16
    np.testing.assert_array_equal(loaded.cube, tiny.cube)
    assert type(loaded.ground_truth) is np.ndarray


@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 24])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_of_a_mapped_cube_that_are_not_finite_are_refused(tiny, mapped, monkeypatch, bad, block_bytes):
    monkeypatch.setattr("shared_data.scenes.mapped._BLOCK_BYTES", block_bytes)
    cube = tiny.cube.astype(np.float32)
    mapped(cube)
    assert load_unverified(tiny).cube.dtype == np.float32
    cube[4, 3, 1] = bad
    mapped(cube)
    with pytest.raises(SceneFormatError, match=r"Tiny\.npy: .*row 4, column 3, band 1"):
        load_unverified(tiny)


def test_a_mapped_cube_of_another_size_is_refused(tiny, mapped):
    mapped(tiny.cube[:, :, :3])
    with pytest.raises(SceneFormatError, match=r"Tiny\.npy: expected the shape 6×5×4, found 6×5×3"):
        load_unverified(tiny)


# the generated scene


def test_synthetic_scene_needs_no_files(tmp_path):
    loaded = load_scene("synthetic", data=tmp_path)
    expected = catalogue.get_scene("synthetic")
    assert loaded.cube.shape == (expected.height, expected.width, expected.bands)
    assert set(np.unique(loaded.ground_truth)) <= set(range(expected.num_classes + 1))
    assert (loaded.files, loaded.verified) == ((), False)
    assert verify_scene("synthetic", tmp_path) == []


# real data, where a machine has them


def find(folders, name):
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    return pytest.skip(f"no folder of HSI_DATA holds {name}")


@pytest.mark.parametrize("slug", ["indianpines", "pavia", "salinas", "ksc"])
def test_official_ground_truth_has_the_catalogued_hashes_and_counts(real_data, slug):
    known = catalogue.get_scene(slug)
    path = find(real_data, known.ground_truth.name)
    assert scene.file_sha256(path) == known.ground_truth.sha256
    assert scene.file_content_sha256(known.ground_truth, path) == known.ground_truth.content.sha256
    ground_truth = scene.read_mat(path, known.ground_truth.key, (known.height, known.width))
    assert tuple(np.bincount(ground_truth.ravel())[1:]) == known.class_counts


def test_official_indian_pines_is_verified_by_its_bytes_and_written_otherwise_by_its_values(real_data, tmp_path):
    known = catalogue.get_scene("indianpines")
    official = load_scene("indianpines", data=[find(real_data, known.cube.name).parent])
    assert [file.verified_by for file in official.files] == ["file", "file"]
    np.save(str(tmp_path / "Indian_pines_corrected.npy"), np.ascontiguousarray(official.cube))
    np.save(str(tmp_path / "Indian_pines_gt.npy"), official.ground_truth.astype(np.int64))
    written = load_scene("indianpines", data=tmp_path)
    assert written.verified and [file.verified_by for file in written.files] == ["content", "content"]
    same_arrays(written, official)
    assert np.count_nonzero(written.ground_truth) == known.labelled_pixels
