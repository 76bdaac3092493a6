"""Verify a scene file by a hash of its values, independent of the file format."""

import hashlib
from typing import Optional

import numpy as np

from shared_data.scenes.mapped import row_blocks


def content_sha256(array: np.ndarray, dtype: str) -> Optional[str]:
    """SHA-256 of an array's values as 64 hexadecimal digits; None where `dtype` cannot hold each of them exactly.

    Hashed are the values as `dtype` (one of those in scenes.schema.json or own.schema.json), in little-endian byte
    order and C order: of a cube (H, W, B) row by row, pixel by pixel, band by band; of a ground truth (H, W) row by
    row. Nothing else is hashed: compare the shape first. Of a uint16 array it is
    sha256(array.astype("<u2").tobytes("C")). Every NaN is hashed as numpy's, every zero of a float as +0.

    array: real numbers of any dtype, byte order and memory order, memory-mapped too. It is converted in blocks of rows,
    without a copy of the whole.
    """
    digest = hashlib.sha256()
    for rows in row_blocks(array):
        block = np.asarray(array[rows])
        with np.errstate(invalid="ignore"):  # the comparison below finds such values
            values = block.astype(np.dtype(dtype).newbyteorder("<"), order="C")
        equal = values == block
        if values.dtype.kind == "f":
            values += 0  # -0 becomes +0
            missing = np.isnan(block)
            values[missing] = np.nan
            equal |= missing
        if not equal.all():
            return None
        digest.update(values.data)
    return digest.hexdigest()
