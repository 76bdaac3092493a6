"""Fuzz target: a MATLAB file of any bytes gives a real array of the claimed shape, or is refused."""

import io
import struct
import zlib
from pathlib import Path
from typing import Iterator

import numpy as np
import scipy.io
from refusal import value_or_refusal

from shared_data.scenes.mat import read_mat

_KEY = "cube"
_HEADER_BYTES = 128


def seeds() -> Iterator[bytes]:
    """Small files as scipy writes them: numbers of several kinds, and what is not a number."""
    numbers = [np.arange(24, dtype=kind).reshape(2, 3, 4) for kind in ("u1", "<i2", "<f8")]
    others = ["text", {"a": [1.5, "b"]}, np.array([1, "x"], dtype=object), np.array([[1 + 2j]]), np.eye(2) > 0]
    for value in numbers + others:
        for compressed in (False, True):
            file = io.BytesIO()
            scipy.io.savemat(file, {_KEY: value, "other": 1.0}, do_compression=compressed)
            yield file.getvalue()


def try_one(content: bytes, folder: Path) -> None:
    """Read the bytes as they are, and with all that follows the header compressed: a mutation inside of a zlib stream
    only breaks its checksum."""
    stream = zlib.compress(content[_HEADER_BYTES:], 1)
    compressed = content[:_HEADER_BYTES] + struct.pack("<II", 15, len(stream)) + stream
    path = folder / "scene.mat"
    for variant in (content, compressed):
        path.write_bytes(variant)
        array = value_or_refusal(read_mat, path, _KEY)
        assert array is None or (isinstance(array, np.ndarray) and array.dtype.kind in "iuf")
        refused = value_or_refusal(read_mat, path, _KEY, (2, 3, 4))
        assert refused is None or refused.shape == (2, 3, 4)
