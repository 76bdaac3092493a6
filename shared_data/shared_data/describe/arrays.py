"""Arrays in files, read in parts, and what the file says of them."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from shared_data.scenes.catalogue import Georeference

BLOCK_BYTES = 1 << 26  # of an array read at a time

AS_STORED = "the file declares a scale or an offset: the numbers are taken as they are stored"  # a note

Window = tuple[slice, ...]


@dataclass(frozen=True)
class StoredArray:
    """An array in a file.

    read: a window, one slice per axis, to its numbers. chunk: the sides of the pieces in which the file stores it and
    of which only whole ones can be read; None where any part can be. usable: whether papers can read the file as it is.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[Window], np.ndarray]
    chunk: tuple[int, ...] | None = None
    usable: bool = False

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def whole(self) -> np.ndarray:
        """All numbers, in memory unless the file is mapped."""
        return self.read((slice(None),) * len(self.shape))


@dataclass(frozen=True)
class Header:
    """What a file says of its array.

    fill_values: of pixels without data. bad_bands: counted from 1. wavelengths: first and last, with their unit.
    class_names, class_colours ("#rrggbb"): by label. picture: it holds colours for the eye, red, green and blue.
    notes: sentences for the user.
    """

    fill_values: tuple[float, ...] = ()
    bad_bands: tuple[int, ...] = ()
    wavelengths: str = ""
    class_names: Mapping[int, str] = field(default_factory=dict)
    class_colours: Mapping[int, str] = field(default_factory=dict)
    georeference: Georeference | None = None
    picture: bool = False
    bands_last: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """An opened file.

    path: as named. data: the file that holds the numbers, the image beside an ENVI header. kind: in words. named:
    whether its arrays have names of their own, or there is only one, which has none. shapes: of its arrays of real
    numbers. open: gives one of them by name; it may raise SceneFormatError.
    """

    path: Path
    data: Path
    kind: str
    named: bool
    shapes: Mapping[str, tuple[int, ...]]
    open: Callable[[str], tuple[StoredArray, Header]]


def of_array(array: np.ndarray, usable: bool) -> StoredArray:
    """An array in memory or mapped."""
    return StoredArray(array.shape, array.dtype.newbyteorder("="), array.__getitem__, None, usable)


def reordered(array: StoredArray, order: tuple[int, ...]) -> StoredArray:
    """The same numbers with other axes: axis k of the result is axis `order[k]` of the file. Papers cannot read it."""

    def read(window: Window) -> np.ndarray:
        stored: list[slice] = [slice(None)] * len(order)
        for axis, part in zip(order, window):
            stored[axis] = part
        return array.read(tuple(stored)).transpose(order)

    return replace(
        array,
        shape=tuple(array.shape[axis] for axis in order),
        read=read,
        chunk=array.chunk and tuple(array.chunk[axis] for axis in order),
        usable=False,
    )


def blocks(array: StoredArray, most_bytes: int = BLOCK_BYTES) -> Iterator[Window]:
    """Windows that cover an array, each of whole stored pieces and, where a piece is not larger, of `most_bytes`.

    The last axis is completed first: where pieces are small these are blocks of rows.
    """
    sides = list(array.chunk or (1,) * len(array.shape))
    for axis in reversed(range(len(sides))):
        room = most_bytes // max(1, math.prod(sides) * array.dtype.itemsize)
        sides[axis] = min(array.shape[axis], sides[axis] * max(1, room))
    starts = (range(0, length, max(1, side)) for length, side in zip(array.shape, sides))
    for corner in itertools.product(*starts):
        yield tuple(slice(start, start + side) for start, side in zip(corner, sides))


def by(shape: tuple[int, ...]) -> str:
    """145×145×200."""
    return "×".join(map(str, shape))
