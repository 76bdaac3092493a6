"""The smallest and the largest values of a cube, and which of them seem to stand for "no data"."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from shared_data.scenes.mapped import row_blocks

KEPT = 4  # different values on each side: more than programs use for "no data" in one file
# a value that is not known is far from the rest where the gap is this many times the range of the rest
FAR = 10.0
KNOWN_LOW = (-999, -9999, -99999, -32767, -32768)
_KNOWN_HIGH = (32767, 65535, 1e20, 9.969209968386869e36)
_LEAST_GAP_LOW = 0.05  # of the range of the rest: reflectances times 10000 lie above -9999 by less than their range
_LEAST_GAP_HIGH = 1.0  # bright pixels reach the largest value of a type, too


@dataclass(frozen=True)
class Extremes:
    """The `KEPT` smallest different finite values, ascending, and the largest, descending."""

    low: tuple[float, ...]
    high: tuple[float, ...]


def find_extremes(cube: np.ndarray, without: Collection[float]) -> Extremes:
    """Of a (H, W, B) cube, without these values, NaN and infinities; read in blocks of rows."""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    for rows in row_blocks(cube):
        block = np.asarray(cube[rows])
        low = _merged(block, low, without, 1)
        high = _merged(block, high, without, -1)
    return Extremes(low, high)


def _merged(block: np.ndarray, known: tuple[float, ...], without: Collection[float], sign: int) -> tuple[float, ...]:
    """The outermost values of a block and those known from others. sign: 1 for the smallest, -1 for the largest."""
    values = block[np.isfinite(block)] if block.dtype.kind == "f" else block.ravel()
    if len(known) == KEPT:  # most blocks have nothing beyond, and then nothing else takes time
        values = values[values < known[-1]] if sign == 1 else values[values > known[-1]]
    for value in (*without, *known):
        values = values[values != value]
    found = list(known)
    for _ in range(KEPT):
        if not values.size:
            break
        edge = values.min() if sign == 1 else values.max()
        found.append(edge.item())
        values = values[values != edge]
    return tuple(sorted(found, reverse=sign == -1)[:KEPT])


def isolated(extremes: Extremes, dtype: np.dtype) -> tuple[float, ...]:
    """The values that lie so far outside of all others that they must mean "no data".

    That is a value usual for this (-9999, the largest of the type, ...) with a gap to the rest, or any value with a gap
    of `FAR` times the range of the rest.
    """
    low, high = list(extremes.low), list(extremes.high)
    taken: list[float] = []
    while low and high:  # each value that is taken changes the range of the rest
        more = _outside(low, high[0], known_low(dtype), _LEAST_GAP_LOW)
        more += _outside(high, low[0], known_high(dtype), _LEAST_GAP_HIGH)
        if not more:
            break
        taken += more
        low = [value for value in low if value not in more]
        high = [value for value in high if value not in more]
    return tuple(taken)


def _outside(values: list[float], opposite: float, known: Collection[float], least_gap: float) -> list[float]:
    """The values on one side up to the innermost one with a gap behind; empty where there is no such gap.

    opposite: the outermost value on the other side.
    """
    for number in range(len(values) - 1, 0, -1):
        gap, rest = abs(values[number] - values[number - 1]), abs(values[number] - opposite)
        if rest > 0 and gap > rest * (least_gap if values[number - 1] in known else FAR):
            return values[:number]
    return []


def known_low(dtype: np.dtype) -> set[float]:
    """Values usual for "no data" below all others."""
    return _of_type(KNOWN_LOW, dtype) | ({np.iinfo(dtype).min} if dtype.kind == "i" else {float(np.finfo(dtype).min)}
                                          if dtype.kind == "f" else set())  # fmt: skip


def known_high(dtype: np.dtype) -> set[float]:
    """Values usual for "no data" above all others."""
    largest = float(np.finfo(dtype).max) if dtype.kind == "f" else np.iinfo(dtype).max
    return _of_type(_KNOWN_HIGH, dtype) | {largest}


def _of_type(values: Collection[float], dtype: np.dtype) -> set[float]:
    return {found for found in (in_type(value, dtype) for value in values) if found is not None}


def in_type(value: float, dtype: np.dtype) -> float | None:
    """A number as a cube of this dtype holds it, rounded for floats; None where it cannot hold it."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return float(dtype.type(value))
    if not np.isfinite(value) or value != int(value) or not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        return None
    return int(value)
