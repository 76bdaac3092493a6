"""Checks of a cube's values, in blocks of rows: NaN, values for "no data", constant bands, pixels of zeros.

Which values go into `ignore_values`: those that the file declares or the user names, if they occur; those that lie far
outside of the rest (extremes.py); a usual value for "no data", 0, the smallest or the largest value, if it fills the
pixels in which it occurs. NaN and infinities cannot be in a cube from which a network learns: in the copy they become a
value that is ignored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared_data.describe.bands import as_ranges
from shared_data.describe.extremes import find_extremes, in_type, isolated, known_high, known_low
from shared_data.errors import SceneFormatError
from shared_data.scenes.mapped import row_blocks

FILL = -9999.0  # for NaN, where no value is ignored yet
_LEAST_PIXELS = 2  # of one value in all bands: the outermost value of a cube may be a pixel's by chance
_WHOLE = 0.9  # share of the pixels with a value that have it in every band: a bright pixel has it in some
_LARGEST = 1e18  # float32, in which networks calculate, cannot hold the squares of larger numbers
_LEAST_RANGE = 1e-18  # ... nor of smaller ones


@dataclass(frozen=True)
class FillValue:
    """A value that means "no data". pixels: with it in any band; whole: in every band. origin: who says so."""

    value: float
    pixels: int
    whole: int
    origin: str


@dataclass(frozen=True)
class Broken:
    """Where a cube has NaN or infinities. pixels: (H, W) bool. bands: pixels with them, for each band."""

    pixels: np.ndarray
    bands: np.ndarray
    nan: int
    infinite: int


@dataclass(frozen=True)
class Values:
    """What was found. valid: (H, W) bool, pixels without a fill value. lowest, highest: of valid pixels.

    constant: bands, counted from 1, with one value at all valid pixels. zero: valid pixels with 0 in every band.
    """

    fill: tuple[FillValue, ...]
    valid: np.ndarray
    lowest: float
    highest: float
    constant: tuple[int, ...]
    zero: int


def find_broken(cube: np.ndarray) -> Broken | None:
    """NaN and infinities of a (H, W, B) cube; None where there are none."""
    if cube.dtype.kind != "f":
        return None
    pixels, bands = np.zeros(cube.shape[:2], bool), np.zeros(cube.shape[2], np.int64)
    nan = infinite = 0
    for rows in row_blocks(cube):
        block = np.asarray(cube[rows])
        broken = ~np.isfinite(block)
        if broken.any():
            pixels[rows], bands = broken.any(axis=2), bands + broken.sum(axis=(0, 1))
            nan += int(np.isnan(block).any(axis=2).sum())
            infinite += int(np.isinf(block).any(axis=2).sum())
    return Broken(pixels, bands, nan, infinite) if pixels.any() else None


def find_fill_values(
    cube: np.ndarray, declared: Sequence[float], given: Sequence[float] | None
) -> tuple[FillValue, ...]:
    """The values of a (H, W, B) cube that mean "no data", most frequent first.

    declared: by the file. given: by the user, in place of all others.
    """
    named = declared if given is None else given
    values = list(dict.fromkeys(value for value in (in_type(one, cube.dtype) for one in named) if value is not None))
    origins = dict.fromkeys(values, "declared by the file" if given is None else "as --ignore says")
    usual: set[float] = set()
    candidates: set[float] = set()
    if given is None:
        extremes = find_extremes(cube, values)
        origins.update(dict.fromkeys(isolated(extremes, cube.dtype), "far outside of all other values"))
        usual = (known_low(cube.dtype) & set(extremes.low)) | (known_high(cube.dtype) & set(extremes.high))
        candidates = (usual | {0, *extremes.low[:1], *extremes.high[:1]}) - set(origins)
    found = []
    for value, (pixels, whole) in _counts(cube, [*origins, *candidates]).items():
        if value in origins and pixels:
            found.append(FillValue(value, pixels, whole, origins[value]))
        elif pixels and cube.shape[2] > 1 and _fills(cube, value, pixels, whole, value in usual):
            found.append(FillValue(value, pixels, whole, "fills the pixels in which it occurs"))
    return tuple(sorted(found, key=lambda one: -one.pixels))


def _fills(cube: np.ndarray, value: float, pixels: int, whole: int, usual: bool) -> bool:
    """Whether a value fills its pixels: a usual one most of them, any other all. `_counts` gives the two numbers."""
    if usual:
        return whole >= pixels * _WHOLE
    return whole == pixels and (value == 0 or _LEAST_PIXELS <= pixels < cube.shape[0] * cube.shape[1])


def _counts(cube: np.ndarray, values: Sequence[float]) -> dict[float, tuple[int, int]]:
    """Per value the pixels that have it in any band, and in every one."""
    counts = dict.fromkeys(values, (0, 0))
    for rows in row_blocks(cube):
        block = np.asarray(cube[rows])
        for value, (pixels, whole) in counts.items():
            equal = block == value
            some = equal.any(axis=2)
            counts[value] = (pixels + int(some.sum()), whole + int(equal.all(axis=2).sum()) if some.any() else whole)
    return counts


def values_in(cube: np.ndarray, pixels: np.ndarray, fill: Sequence[FillValue]) -> tuple[float, ...]:
    """Those of the fill values that occur in these pixels, (H, W) bool."""
    found: set[float] = set()
    for rows in row_blocks(cube):
        spectra = np.asarray(cube[rows])[pixels[rows]]
        found.update(one.value for one in fill if (spectra == one.value).any())
    return tuple(one.value for one in fill if one.value in found)


def check_some_whole(broken: Broken, path: Path) -> None:
    """Raises: SceneFormatError where every pixel has NaN or infinity in some band."""
    if not broken.pixels.all():
        return
    most = [int(band) + 1 for band in np.flatnonzero(broken.bands * 2 > broken.pixels.size)]
    remedy = "mend the cube"
    if 0 < len(most) < len(broken.bands):
        remedy = f"leave out such bands, with --drop-bands={as_ranges(most).replace(' ', '')}"
    raise SceneFormatError(f"{path}: every pixel has NaN or infinity in some band; {remedy}.")


def mend(cube: np.ndarray, broken: Broken, fill: tuple[FillValue, ...]) -> tuple[FillValue, ...]:
    """Write a value that is ignored in place of NaN and infinities; the values that mean "no data" then.

    It is the most frequent one of `fill`, else -9999, or -99999 ... where the cube goes down so far.
    """
    value = fill[0].value if fill else _below(cube)
    for rows in row_blocks(cube):
        if broken.pixels[rows].any():
            block = cube[rows]
            block[~np.isfinite(block)] = value
    pixels, whole = _counts(cube, [value])[value]
    origin = fill[0].origin if fill else "written in place of NaN and infinities"
    return (FillValue(value, pixels, whole, origin), *fill[1:])


def _below(cube: np.ndarray) -> float:
    value, low = FILL, find_extremes(cube, ()).low
    while low and low[0] <= value:
        value = value * 10 - 9
    return float(cube.dtype.type(value))


def summarise(cube: np.ndarray, fill: tuple[FillValue, ...], path: Path) -> Values:
    """Range, constant bands and pixels of zeros of what the fill values leave. path: for messages.

    Raises: SceneFormatError where they leave no pixel, or for values too large to calculate with.
    """
    bands = cube.shape[2]
    valid = np.ones(cube.shape[:2], bool)
    lowest, highest, zero = np.full(bands, np.inf), np.full(bands, -np.inf), 0
    for rows in row_blocks(cube):
        block = np.asarray(cube[rows])
        for one in fill:
            valid[rows] &= ~(block == one.value).any(axis=2)
        spectra = block[valid[rows]]
        if len(spectra):
            lowest, highest = np.minimum(lowest, spectra.min(axis=0)), np.maximum(highest, spectra.max(axis=0))
            zero += int((spectra == 0).all(axis=1).sum())
    if not valid.any():
        values = ", ".join(f"{one.value:g} ({one.pixels} pixels)" for one in fill)
        raise SceneFormatError(
            f"{path}: every pixel has a value for 'no data' in some band: {values}; leave out bands without data with "
            "--drop-bands, or say with --ignore which values mean it."
        )
    _check_size(path, lowest, highest)
    if np.count_nonzero(valid) > 1:
        _check_range(path, lowest, highest)
    constant = tuple(int(band) + 1 for band in np.flatnonzero(lowest == highest))
    return Values(fill, valid, lowest.min().item(), highest.max().item(), constant, zero)


def _check_size(path: Path, lowest: np.ndarray, highest: np.ndarray) -> None:
    size = np.maximum(np.abs(lowest), np.abs(highest))
    if size.max() > _LARGEST:
        band = int(size.argmax())
        raise SceneFormatError(
            f"{path}: band {band + 1} (counted from 1) has values up to {size.max():.3g}, whose squares a 32-bit float "
            "cannot hold; divide the cube by a constant, or, if that value means 'no data', pass --ignore=<value>."
        )


def _check_range(path: Path, lowest: np.ndarray, highest: np.ndarray) -> None:
    largest = float((highest - lowest).max())
    if largest == 0:
        raise SceneFormatError(
            f"{path}: every band has the same value at all pixels with data, so nothing can be told apart; check the "
            "file, and which array of it is the cube (--cube-key)."
        )
    if largest < _LEAST_RANGE:
        raise SceneFormatError(
            f"{path}: the values of no band differ by more than {largest:.3g}, whose square a 32-bit float cannot "
            "hold; multiply the cube by a constant."
        )
