"""A scene as one image: standardised per band and zero-padded, for the networks that see the whole scene at once."""

from typing import Optional, Tuple

import numpy as np

from shared_data.mapped import is_mapped, row_blocks


def padded_side(side: int, multiple: int) -> int:
    """The next multiple that is not smaller than `side`."""
    return -(-side // multiple) * multiple


def padded_shape(shape: Tuple[int, ...], multiple: int) -> Tuple[int, int, int]:
    """(B, H', W') of the image that `standardise_and_pad` makes of a cube of shape (H, W, B)."""
    height, width, bands = shape
    return bands, padded_side(height, multiple), padded_side(width, multiple)


def standardise_and_pad(
    cube: np.ndarray, multiple: int, fitted: Optional[np.ndarray] = None, out: Optional[np.ndarray] = None
) -> np.ndarray:
    """(H, W, B) numbers to (B, H', W') float32: zero mean, unit standard deviation per band, zeros below and right.

    Mean and population standard deviation are those of the whole scene, or of the flat pixel indices `fitted`, in
    float64. A band that is constant there becomes zero. Works band by band: beside the result two bands are held. A
    memory-mapped cube in row-major order, whose bands are scattered over its file, is read by rows instead, twice.
    out: an array for the result, for example a memory-mapped one. Raises: ValueError where its shape is another.
    """
    shape = padded_shape(cube.shape, multiple)
    image = np.zeros(shape, np.float32) if out is None else out
    if image.shape != shape or image.dtype != np.float32:
        raise ValueError("expected float32 of shape %s to write to, found %s %s" % (shape, image.dtype, image.shape))
    if is_mapped(cube) and cube.flags.c_contiguous:
        _by_rows(cube, fitted, image)
    else:
        _by_bands(cube, fitted, image)
    if out is not None:
        image[:, cube.shape[0] :] = 0
        image[:, :, cube.shape[1] :] = 0
    return image


def _by_bands(cube: np.ndarray, fitted: Optional[np.ndarray], image: np.ndarray) -> None:
    height, width, bands = cube.shape
    for band in range(bands):
        values = cube[:, :, band].astype(np.float64)
        judged = values if fitted is None else values.ravel()[fitted]
        # the spread of a constant band may be rounding noise instead of 0
        varies = judged.min() < judged.max()
        image[band, :height, :width] = (values - judged.mean()) / judged.std() if varies else 0


def _by_rows(cube: np.ndarray, fitted: Optional[np.ndarray], image: np.ndarray) -> None:
    width = cube.shape[1]
    if fitted is None:
        mean, deviation, varies = _whole_scene(cube)
    else:
        judged = cube.reshape(-1, cube.shape[2])[fitted].astype(np.float64)
        mean, deviation, varies = judged.mean(axis=0), judged.std(axis=0), judged.min(axis=0) < judged.max(axis=0)
    for rows in row_blocks(cube):
        values = (cube[rows].astype(np.float64) - mean) / np.where(varies, deviation, 1)
        image[:, rows, :width] = np.where(varies, values, 0).transpose(2, 0, 1)


def _whole_scene(cube: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every band (B): mean, standard deviation, whether it has two different values; blocks merged as samples."""
    mean, squares, pixels = np.zeros(cube.shape[2]), np.zeros(cube.shape[2]), 0
    varies, first = np.zeros(cube.shape[2], bool), cube[0, 0]
    for rows in row_blocks(cube):
        values = cube[rows].reshape(-1, cube.shape[2])
        varies |= (values != first).any(axis=0)
        values = values.astype(np.float64)
        step, share = values.mean(axis=0) - mean, len(values) / (pixels + len(values))
        squares += ((values - values.mean(axis=0)) ** 2).sum(axis=0) + step**2 * pixels * share
        mean += step * share
        pixels += len(values)
    return mean, np.sqrt(squares / pixels), varies


def pad_labels(labels: np.ndarray, multiple: int) -> np.ndarray:
    """(H, W) labels to (H', W'), padded with 0 = unlabelled, the same way as the scene."""
    height, width = labels.shape
    return np.pad(
        labels,
        ((0, padded_side(height, multiple) - height), (0, padded_side(width, multiple) - width)),
        mode="constant",
    )
