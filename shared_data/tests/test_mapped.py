"""Cubes in .npy files: what is opened, what is refused, where derived arrays lie, and patches without padding."""

import io
import os

import numpy as np
import pytest

from contracts.faults import FAULTS, note
from shared_data.errors import SceneFormatError, SharedDataError
from shared_data.scenes import mapped
from shared_data.scenes.mapped import is_mapped, open_mapped, patches_around, row_blocks, storage_like

SHAPE = (7, 5, 3)
CASES = 10000 if FAULTS else 500


@pytest.fixture
def cube():
    return np.random.RandomState(0).randint(0, 9000, SHAPE).astype(np.uint16)


@pytest.fixture
def path(tmp_path, cube):
    path = tmp_path / "cube.npy"
    np.save(str(path), cube)
    return path


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">i2", "f4", "f8", "f2"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_an_array_is_opened_where_it_lies(path, cube, dtype, version):
    with open(str(path), "wb") as file:
        np.lib.format.write_array(file, cube.astype(dtype), version=version)
    found = open_mapped(path, SHAPE)
    assert is_mapped(found) and not is_mapped(cube) and not found.flags.writeable
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, cube.astype(dtype))


def refused(path, complaint, shape=SHAPE):
    with pytest.raises(SceneFormatError, match=complaint) as error:
        open_mapped(path, shape)
    message = str(error.value)
    assert message.startswith("%s: " % path) and "\n" not in message and len(message) < len(str(path)) + 420


def test_a_missing_file_is_named(tmp_path):
    refused(tmp_path / "absent.npy", "cannot be read")


@pytest.mark.parametrize("content, complaint", [
    (b"", "found an empty file"),
    (b"\n<!DOCTYPE html><html>Not found</html>", "found a web page"),
    (b"MATLAB 5.0 MAT-file, some words", "expected a numpy file"),
    (b"\x93NUMPY", "header of the numpy file is damaged"),
    (b"\x93NUMPY\x09\x00\x10\x00", "header of the numpy file is damaged"),
    (b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}", "header of the numpy file is damaged"),
    (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100, "header of the numpy file is damaged"),
    (b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 5000, "header of the numpy file is damaged"),
])  # fmt: skip
def test_other_files_are_refused(path, content, complaint):
    path.write_bytes(content)
    refused(path, complaint)


@pytest.mark.parametrize("cut", [1, 100, 209])
def test_a_file_cut_short_is_refused_with_both_lengths(path, cut):
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    refused(path, "cut short; expected at least %d bytes, found %d" % (len(whole), len(whole) - cut))


@pytest.mark.filterwarnings("ignore")  # numpy's and Python's, of what the damaged header means
def test_a_damaged_header_is_refused_or_describes_the_array(path):
    whole, random = path.read_bytes(), np.random.RandomState(0)
    opened = 0
    for _ in range(CASES):
        content = bytearray(whole)
        for place in random.randint(0, 128, random.randint(1, 4)):
            content[place] = random.choice([random.randint(256), *b"0123456789<>|=fiub(),' {}TF"])
        path.write_bytes(bytes(content))
        try:
            found = open_mapped(path, SHAPE)
        except SceneFormatError as error:
            assert str(error).startswith("%s: " % path) and "\n" not in str(error)
        else:
            opened += 1
            assert found.shape == SHAPE and found.dtype.kind in "iuf" and found.nbytes <= len(whole)
    assert 0 < opened < CASES
    note("damaged .npy headers", "shared_data", CASES, "read as what they say, or refused in one line")


def test_bytes_behind_the_array_do_not_matter(path, cube):
    path.write_bytes(path.read_bytes() + b"more")
    np.testing.assert_array_equal(open_mapped(path, SHAPE), cube)


@pytest.mark.parametrize("dtype", [bool, complex, "S3", "M8[s]", [("a", "f4")], object])
def test_values_that_are_no_real_numbers_are_refused(path, dtype):
    np.save(str(path), np.zeros(SHAPE, dtype))
    refused(path, "expected real numbers, found values of type")


@pytest.mark.parametrize("shape", [(5, 7, 3), (7, 5), (7, 5, 3, 1), ()])
def test_another_shape_is_refused(path, shape):
    np.save(str(path), np.zeros(shape, np.float32))
    refused(path, "expected the shape 7×5×3, found")


def test_column_major_order_is_refused_and_the_remedy_given_is_one(path, cube, monkeypatch):
    np.save(str(path), np.asfortranarray(cube))
    with pytest.raises(SceneFormatError, match="C order") as error:
        open_mapped(path, SHAPE)
    remedy = str(error.value).split("write it anew with ")[1][:-1]
    monkeypatch.chdir(path.parent)
    exec(remedy.replace("numpy", "np", 2))  # the sentence is Python
    np.testing.assert_array_equal(open_mapped(path.parent / "new.npy", SHAPE), cube)


def test_one_column_of_pixels_has_but_one_order(path):
    np.save(str(path), np.asfortranarray(np.arange(7.0).reshape(7, 1, 1)))
    assert open_mapped(path, (7, 1, 1)).sum() == 21


def test_no_pickle_is_opened(path):
    file = io.BytesIO()
    np.save(file, np.full(SHAPE, None), allow_pickle=True)
    path.write_bytes(file.getvalue())
    refused(path, "expected real numbers")


def test_storage_is_in_memory_for_a_cube_in_memory(cube):
    storage = storage_like(cube, (4, 3), np.float32)
    assert type(storage) is np.ndarray and (storage.shape, storage.dtype) == ((4, 3), np.float32)


def test_storage_of_a_mapped_cube_is_a_file_without_a_name(path, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    storage = storage_like(open_mapped(path, SHAPE), (4, 3), np.float32, folder)
    assert is_mapped(storage) and (storage.shape, storage.dtype) == ((4, 3), np.float32)
    assert os.listdir(str(folder)) == []
    storage[:] = 7
    assert is_mapped(storage[1:]) and is_mapped(storage.reshape(2, 6)) and storage.sum() == 84
    assert is_mapped(storage_like(storage, (2,), np.uint8))


def test_storage_lies_where_tmpdir_says(path, tmp_path, monkeypatch):
    monkeypatch.setattr(mapped.tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(SharedDataError, match=r"absent.*TMPDIR"):
        storage_like(open_mapped(path, SHAPE), (4,), np.float32)


def test_a_full_disk_is_found_before_anything_is_written(path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped.os, "posix_fallocate", full)
    with pytest.raises(SharedDataError, match=r"temporary file of 4000\.0 MB .*: No space left on device; .*TMPDIR"):
        storage_like(open_mapped(path, SHAPE), (10**9,), np.float32)


@pytest.mark.parametrize("bytes_at_a_time", [1, 30, 61, 1000])
def test_blocks_of_rows_cover_all_rows(cube, monkeypatch, bytes_at_a_time):
    monkeypatch.setattr(mapped, "_BLOCK_BYTES", bytes_at_a_time)
    blocks = list(row_blocks(cube))
    assert np.array_equal(np.concatenate([cube[rows] for rows in blocks]), cube)
    assert all(cube[rows].nbytes <= max(bytes_at_a_time, 30) for rows in blocks)


@pytest.mark.parametrize("side", [1, 3, 5, 9])
def test_patches_are_windows_of_the_padded_scene(path, cube, side):
    half = side // 2
    padded = np.pad(cube, ((half, half), (half, half), (0, 0)), "constant")
    pixels = np.random.RandomState(1).permutation(35)
    patches = patches_around(open_mapped(path, SHAPE), pixels, side)
    assert type(patches) is np.ndarray and patches.dtype == cube.dtype
    for pixel, patch in zip(pixels, patches):
        row, column = divmod(pixel, 5)
        np.testing.assert_array_equal(patch, padded[row : row + side, column : column + side])


def test_no_pixels_have_no_patches(cube):
    assert patches_around(cube, np.arange(0), 3).shape == (0, 3, 3, 3)
