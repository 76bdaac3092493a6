"""Reading MATLAB files: the right array out of a good file, one clear error out of anything else."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import scipy.io

from shared_data.errors import SceneFormatError, SharedDataError
from shared_data.scenes.mat import looks_like_html, read_mat

CUBE = np.arange(7 * 5 * 4, dtype=np.uint16).reshape(7, 5, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scene.mat"


def array_element(class_code=11, flags=0, shape=(7, 5, 4), name=b"cube", data_type=4, data=None, data_bytes=None):
    """An uncompressed array element as the format describes it; by default `CUBE`, any part of it may be forged."""
    data = CUBE.tobytes(order="F") if data is None else data
    content = struct.pack("<IIII", 6, 8, class_code | flags, 0)
    content += (
        struct.pack("<II", 5, 4 * len(shape)) + struct.pack(f"<{len(shape)}i", *shape) + b"\0\0\0\0" * (len(shape) % 2)
    )
    content += struct.pack("<II", 1, len(name)) + name.ljust(-(-len(name) // 8) * 8, b"\0")
    content += struct.pack("<II", data_type, len(data) if data_bytes is None else data_bytes) + data
    return struct.pack("<II", 14, len(content)) + content


def level5(element, compressed):
    if compressed:
        stream = zlib.compress(element)
        element = struct.pack("<II", 15, len(stream)) + stream
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + element


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint64", "float32", "float64"])
@pytest.mark.parametrize("compressed", [True, False])
def test_array_is_read_as_stored(path, dtype, compressed):
    scipy.io.savemat(str(path), {"cube": CUBE.astype(dtype)}, do_compression=compressed)
    array = read_mat(path, "cube", (7, 5, 4))
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, CUBE)


@pytest.mark.parametrize("compressed", [True, False])
def test_hand_made_file_is_read(path, compressed):
    """The forged files below differ from this good one in a single place."""
    path.write_bytes(level5(array_element(), compressed))
    np.testing.assert_array_equal(read_mat(path, "cube", (7, 5, 4)), CUBE)


def test_big_endian_file_is_read(path):
    content = struct.pack(">IIIIIIiiIIII", 6, 8, 11, 0, 5, 8, 2, 1, (1 << 16) | 1, ord("a") << 24, 4, 4)
    content += struct.pack(">HH", 258, 3) + b"\0" * 4
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(content)) + content)
    assert read_mat(path, "a", (2, 1)).ravel().tolist() == [258, 3]


def test_only_the_wanted_variable_is_read(path):
    scipy.io.savemat(str(path), {"other": {"nested": [1, "text"]}, "cube": CUBE, "text": "abc"}, do_compression=True)
    np.testing.assert_array_equal(read_mat(path, "cube"), CUBE)


def test_of_two_arrays_with_one_name_the_first_is_read(path):
    second = array_element(shape=(2, 2), data=CUBE[:2, :2, 0].tobytes())
    path.write_bytes(level5(array_element() + second, False))
    np.testing.assert_array_equal(read_mat(path, "cube", (7, 5, 4)), CUBE)


def test_wrong_key_lists_the_keys_found(path):
    scipy.io.savemat(str(path), {"paviaU": CUBE, "author": "someone"})
    with pytest.raises(SceneFormatError, match=r"scene\.mat.*'paviau', found: author, paviaU"):
        read_mat(path, "paviau")


def test_wrong_shape_names_both(path):
    scipy.io.savemat(str(path), {"cube": CUBE})
    with pytest.raises(SceneFormatError, match="shape 7×5×3, found 7×5×4"):
        read_mat(path, "cube", (7, 5, 3))


HTML = [b"<!DOCTYPE html><title>403</title>", b"<HTML>", b"\xef\xbb\xbf<!doctype html>", b"\r\n\t <html lang=en>"]


@pytest.mark.parametrize("page", HTML)
def test_web_page_is_called_a_web_page(path, page):
    path.write_bytes(page + b" " * 2000)
    assert looks_like_html(page)
    with pytest.raises(SceneFormatError, match=r"web page \(HTML\)"):
        read_mat(path, "cube")


def test_data_are_not_called_a_web_page():
    assert not looks_like_html(level5(array_element(), False))
    assert not looks_like_html(b"")


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"", "empty file"),
        (b"x", "expected a MATLAB level 5 file"),
        (b"\0" * 4000, "expected a MATLAB level 5 file"),
        (b"PK\x03\x04" + b"\1" * 4000, "expected a MATLAB level 5 file"),
        (b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + b"\0" * 99, r"version 7\.3 \(HDF5\).*-v7"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 4000, r"version 7\.3 \(HDF5\).*-v7"),
        (level5(b"", False), "'cube', found: none"),
        (level5(b"\0" * 16, False), "damaged"),
    ],
)
def test_other_content_is_named(path, content, complaint):
    path.write_bytes(content)
    with pytest.raises(SceneFormatError, match=complaint):
        read_mat(path, "cube")


def test_level_4_file_is_refused(path):
    scipy.io.savemat(str(path), {"cube": np.eye(3)}, format="4")
    with pytest.raises(SceneFormatError, match="level 5"):
        read_mat(path, "cube")


def test_missing_file_and_folder_are_refused(path):
    for unreadable in (path, path.parent):
        with pytest.raises(SceneFormatError, match="cannot be read"):
            read_mat(unreadable, "cube")


@pytest.mark.parametrize("compressed", [True, False])
def test_every_truncation_is_refused(path, compressed):
    scipy.io.savemat(str(path), {"cube": CUBE}, do_compression=compressed)
    complete = path.read_bytes()
    for length in range(129, len(complete)):
        path.write_bytes(complete[:length])
        with pytest.raises(SceneFormatError, match="cut short"):
            read_mat(path, "cube")


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    "forged, complaint",
    [
        ({"class_code": 4}, "class char"),
        ({"class_code": 5}, "class sparse"),
        ({"class_code": 99}, "class unknown"),
        ({"flags": 1 << 11}, "class complex"),
        # scipy ends the process on these two
        ({"data_type": 77}, "damaged"),
        ({"data_type": 77, "data": b""}, "damaged"),
        ({"data_bytes": 0xFFFFFFF0}, "damaged"),
        ({"shape": (7, 5, 5)}, "damaged|more than the file can hold"),
        ({"shape": (-7, -5, 4)}, "damaged"),
        ({"shape": (2**31 - 1, 2**31 - 1, 4)}, "claims the shape 2147483647×2147483647×4"),
        ({"shape": (2**31 - 1,) * 33}, "claims the shape"),
        ({"name": b"n" * 5000}, "damaged"),
    ],
)
def test_forged_header_is_refused(path, forged, complaint, compressed):
    path.write_bytes(level5(array_element(**forged), compressed))
    with pytest.raises(SceneFormatError, match=complaint):
        read_mat(path, "cube")


@pytest.mark.parametrize(
    "forged, expected_shape",
    [
        ({"shape": (50000, 50000, 20), "data_bytes": 0xFFFFFFF0}, None),
        ({"shape": (50000, 50000, 20), "data_bytes": 0xFFFFFFF0}, (50000, 50000, 20)),
        ({"data": bytes(100 << 20)}, (7, 5, 4)),  # a small file that inflates to 100 MiB
    ],
)
def test_forged_sizes_cost_no_memory(path, forged, expected_shape):
    path.write_bytes(level5(array_element(**forged), True))
    tracemalloc.start()
    try:
        with pytest.raises(SceneFormatError):
            read_mat(path, "cube", expected_shape)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("compressed", [True, False])
def test_random_damage_never_escapes_as_another_error(path, compressed):
    """Damage may go unnoticed (the numbers of an uncompressed array have no checksum), but only in the numbers."""
    random = np.random.RandomState(1)
    element = array_element()
    refused = 0
    for _ in range(300):
        damaged = bytearray(element)
        position = 4 * random.randint(0, 24)
        damaged[position : position + 4] = struct.pack("<I", random.choice([0, 5, 9, 14, 255, 2**31, 2**32 - 1]))
        path.write_bytes(level5(bytes(damaged), compressed))
        try:
            assert read_mat(path, "cube", (7, 5, 4)).shape == (7, 5, 4)
        except SharedDataError:
            refused += 1
    assert refused > 100
