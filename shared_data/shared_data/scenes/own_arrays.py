"""The arrays of an own scene: its labels as classes 1..K, and which of its pixels are valid."""

from typing import Any, Optional, Sequence

import numpy as np

from shared_data.errors import SceneFormatError
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.checks import check_counts, parts_of
from shared_data.scenes.mapped import is_mapped, row_blocks, temporary_array
from shared_data.scenes.own import Description

_SHOWN = 8  # labels in a message


def class_numbers(labels: np.ndarray, scene: Scene, path: str) -> np.ndarray:
    """(H, W) labels of an own scene's file as uint8 classes 1..K, 0 where they mean "no class".

    path: of the file, for messages.
    Raises: SceneFormatError for a label that is neither in a class nor unlabelled, for fractions, and where a class has
    another number of pixels than the description says.
    """
    own: Description = scene.own
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.floor(labels)):
        raise SceneFormatError("%s: expected whole numbers as labels, found fractions or NaN." % path)
    values, places, pixels = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    numbers = {one.label: number for number, one in enumerate(own.classes, start=1)}
    numbers.update((label, 0) for label in own.unlabelled)
    unknown = [int(value) for value in values if int(value) not in numbers]
    if unknown:
        shown = ", ".join(map(str, unknown[:_SHOWN])) + (", …" if len(unknown) > _SHOWN else "")
        raise SceneFormatError(
            "%s: the labels %s are neither in [[classes]] nor in labels.unlabelled of %s; add them to one of these."
            % (path, shown, one_line(own.path))
        )
    counted = {int(value): int(count) for value, count in zip(values, pixels)}
    found = [counted.get(one.label, 0) for one in own.classes]
    check_counts(found, scene, [one.pixels for one in own.classes], path)
    classes = np.array([numbers[int(value)] for value in values], np.uint8)
    return np.ascontiguousarray(classes[places].reshape(labels.shape))


def valid_pixels(cube: np.ndarray, ignore_values: Sequence[float]) -> Optional[np.ndarray]:
    """(H, W) bool: False where some band of the (H, W, B) cube has one of the values. None where all are valid."""
    comparable = [value for value in (_in_dtype(value, cube.dtype) for value in ignore_values) if value is not None]
    if not comparable:
        return None
    valid = np.ones(cube.shape[:2], bool)
    for part in parts_of(cube):
        values = np.asarray(cube[part])
        for ignored in comparable:
            found = np.isnan(values) if np.isnan(ignored) else values == ignored
            valid[part[:2]] &= ~found.any(axis=2)
    return None if valid.all() else valid


def _in_dtype(value: float, dtype: np.dtype) -> Any:
    """A number as a cube of this dtype holds it, rounded for floats; None where it cannot hold it."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(value)
    whole = float(value).is_integer() and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
    return dtype.type(int(value)) if whole else None


def with_mean_spectrum(cube: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The (H, W, B) cube with the mean spectrum of its valid pixels at all others, rounded where it holds integers.

    Written into the cube itself where it is in memory and may be written to; a memory-mapped one is copied into a
    temporary file. Raises: SharedDataError where that has no room.
    """
    mean, dtype = _mean_spectrum(cube, valid), cube.dtype.newbyteorder("=")
    filling = (np.rint(mean) if dtype.kind in "iu" else mean).astype(dtype)
    if not is_mapped(cube):
        result = cube if cube.flags.writeable else cube.copy(order="K")
        for band, value in enumerate(filling):
            result[:, :, band][~valid] = value
        return result
    copy = temporary_array(cube.shape, dtype)
    for rows in row_blocks(cube):
        block = np.array(cube[rows], dtype)
        block[~valid[rows]] = filling
        copy[rows] = block
    return copy


def _mean_spectrum(cube: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(B) float64."""
    total = np.zeros(cube.shape[2])
    for part in parts_of(cube):
        values = np.asarray(cube[part])[valid[part[:2]]]
        total[part[2]] += values.sum(axis=0, dtype=np.float64)
    return total / np.count_nonzero(valid)
