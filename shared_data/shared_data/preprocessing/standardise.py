"""A scene as one image: standardised per band and zero-padded, for the networks that see the whole scene at once."""

from typing import NamedTuple, Optional, Tuple

import numpy as np

from shared_data.scenes.mapped import is_mapped, row_blocks


def padded_side(side: int, multiple: int) -> int:
    """The next multiple that is not smaller than `side`."""
    return -(-side // multiple) * multiple


def padded_shape(shape: Tuple[int, ...], multiple: int) -> Tuple[int, int, int]:
    """(B, H', W') of the image that `standardise_and_pad` makes of a cube of shape (H, W, B)."""
    height, width, bands = shape
    return bands, padded_side(height, multiple), padded_side(width, multiple)


class BandStatistics(NamedTuple):
    """Of every band (B) float64: mean, and population standard deviation, which is 0 where the band is constant."""

    mean: np.ndarray
    deviation: np.ndarray


def band_statistics(
    cube: np.ndarray, fitted: Optional[np.ndarray] = None, valid: Optional[np.ndarray] = None
) -> BandStatistics:
    """Those of a cube (H, W, B), over the flat pixel indices `fitted` or, without them, over the whole scene.

    valid: (H, W) bool, the pixels that the whole scene consists of; None for all.
    Works band by band, with one band in memory. A memory-mapped cube in row-major order, whose bands are scattered over
    its file, is read by rows instead.
    """
    if _is_read_by_rows(cube):
        if fitted is None:
            mean, deviation, varies = _whole_scene(cube, valid)
        else:
            judged = cube.reshape(-1, cube.shape[2])[fitted].astype(np.float64)
            mean, deviation, varies = judged.mean(axis=0), judged.std(axis=0), judged.min(axis=0) < judged.max(axis=0)
        return BandStatistics(mean, np.where(varies, deviation, 0))
    mean, deviation = np.zeros(cube.shape[2]), np.zeros(cube.shape[2])
    for band in range(cube.shape[2]):
        values = cube[:, :, band].astype(np.float64)
        judged = values if valid is None else values[valid]
        if fitted is not None:
            judged = values.ravel()[fitted]
        mean[band] = judged.mean()
        # the spread of a constant band may be rounding noise instead of 0
        deviation[band] = judged.std() if judged.min() < judged.max() else 0
    return BandStatistics(mean, deviation)


def standardise_and_pad(
    cube: np.ndarray, multiple: int, statistics: BandStatistics, out: Optional[np.ndarray] = None
) -> np.ndarray:
    """(H, W, B) numbers to (B, H', W') float32, (value − mean) / deviation per band; zeros below and right.

    statistics: of this scene, or of the one a network was trained on; a band that was constant there becomes zero.
    Memory beside the result: one band, or some rows of a memory-mapped cube.
    out: an array for the result, for example a memory-mapped one. Raises: ValueError where its shape is another.
    """
    shape = padded_shape(cube.shape, multiple)
    image = np.zeros(shape, np.float32) if out is None else out
    if image.shape != shape or image.dtype != np.float32:
        raise ValueError("expected float32 of shape %s to write to, found %s %s" % (shape, image.dtype, image.shape))
    height, width = cube.shape[:2]
    if _is_read_by_rows(cube):
        mean, deviation = statistics
        varies = deviation > 0
        for rows in row_blocks(cube):
            values = (cube[rows].astype(np.float64) - mean) / np.where(varies, deviation, 1)
            image[:, rows, :width] = np.where(varies, values, 0).transpose(2, 0, 1)
    else:
        for band, (mean, deviation) in enumerate(zip(*statistics)):
            values = cube[:, :, band].astype(np.float64)
            image[band, :height, :width] = (values - mean) / deviation if deviation > 0 else 0
    if out is not None:
        image[:, height:] = 0
        image[:, :, width:] = 0
    return image


def _is_read_by_rows(cube: np.ndarray) -> bool:
    return is_mapped(cube) and cube.flags.c_contiguous


def _whole_scene(cube: np.ndarray, valid: Optional[np.ndarray]) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every band (B): mean, standard deviation, whether it has two different values; blocks merged as samples."""
    mean, squares, pixels = np.zeros(cube.shape[2]), np.zeros(cube.shape[2]), 0
    varies = np.zeros(cube.shape[2], bool)
    first = cube[0, 0] if valid is None else cube[np.unravel_index(int(valid.argmax()), valid.shape)]
    for rows in row_blocks(cube):
        values = cube[rows].reshape(-1, cube.shape[2])
        if valid is not None:
            values = values[valid[rows].ravel()]
            if not len(values):
                continue
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
