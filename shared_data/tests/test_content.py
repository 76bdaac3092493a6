"""The hash of an array's values: the same for the same values, however they are stored, and for no others."""

import hashlib
import tracemalloc

import numpy as np
import pytest

from shared_data.scenes.content import content_sha256

VALUES = np.random.RandomState(0).randint(0, 9000, (6, 5, 4)).astype(np.uint16)
# written out value by value: row, column, band, two bytes each, the low one first
EXPECTED = hashlib.sha256(
    b"".join(
        bytes([value & 255, value >> 8]) for row in VALUES.tolist() for pixel in row for value in pixel
    )
).hexdigest()  # fmt: skip


def test_the_bytes_hashed_are_those_described():
    assert content_sha256(VALUES, "uint16") == EXPECTED


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i2", ">i4", "i8", "u8", "<f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_storage_does_not_matter(dtype, order):
    assert content_sha256(VALUES.astype(dtype, order=order), "uint16") == EXPECTED


@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 24])
def test_blocks_do_not_matter(monkeypatch, block_bytes):
    monkeypatch.setattr("shared_data.scenes.mapped._BLOCK_BYTES", block_bytes)
    assert content_sha256(VALUES, "uint16") == EXPECTED


def test_a_part_of_a_larger_array_is_hashed_as_itself():
    larger = np.zeros((12, 10, 8), np.uint16)
    larger[::2, ::2, ::2] = VALUES
    assert content_sha256(larger[::2, ::2, ::2], "uint16") == EXPECTED


@pytest.mark.parametrize("place", [(0, 0, 0), (5, 4, 3), (3, 2, 1)])
def test_one_value_changed_by_one_gives_another_hash(place):
    changed = VALUES.copy()
    changed[place] += 1
    assert content_sha256(changed, "uint16") not in (EXPECTED, None)


def test_the_dtype_is_part_of_what_is_hashed():
    assert content_sha256(VALUES, "int32") not in (EXPECTED, None)


@pytest.mark.parametrize(
    "value, stored, dtype",
    [
        (0.5, "f8", "uint16"),
        (np.nan, "f8", "uint16"),
        (np.inf, "f4", "uint16"),
        (65536, "i4", "uint16"),  # 0, if the upper bytes were dropped
        (-1, "i8", "uint16"),
        (2**64 - 1, "u8", "int32"),  # -1, if the upper bytes were dropped
        (40000, "u2", "int16"),
        (2**53 + 1, "i8", "int32"),
    ],
)
def test_values_that_the_dtype_cannot_hold_have_no_hash(value, stored, dtype):
    array = np.zeros((2, 3), stored)
    assert content_sha256(array, dtype) is not None
    array[1, 2] = value
    assert content_sha256(array, dtype) is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_no_second_copy_is_made(monkeypatch, order):
    monkeypatch.setattr("shared_data.scenes.mapped._BLOCK_BYTES", 1 << 18)
    array = np.ones((1000, 100, 100), np.uint16, order=order)
    tracemalloc.start()
    try:
        assert content_sha256(array, "uint16")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < array.nbytes / 10
