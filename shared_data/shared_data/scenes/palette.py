"""Colours of classes, for any number of them: those of the catalogue first, then generated ones.

A generated colour is the candidate that differs most from all colours before it. The difference of two colours is
their smallest distance in CIELAB for normal sight and for simulated protanopia, deuteranopia and tritanopia. With more
than some dozen classes no palette stays distinguishable for everybody; reports and records name the classes besides.
"""

import functools
import itertools
from typing import List, Optional, Sequence, Tuple

import numpy as np

# Machado, Oliveira and Fernandes (2009): linear RGB as seen with complete protanopia, deuteranopia, tritanopia
_SIGHTS = (
    np.eye(3),
    np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
)
_TO_XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
_STEPS = (0, 24, 48, 72, 96, 120, 144, 168, 192, 216, 240, 255)  # of a channel of a generated colour
_OTHERS = ("#000000", "#ffffff", "#f2f2f2")  # lines, paper, unlabelled pixels
_LEAST = 9.0  # difference of a colour of the catalogue to one that the user chose; below, it is left out


def class_colours(given: Sequence[Optional[str]], first: Sequence[str]) -> Tuple[str, ...]:
    """A colour "#rrggbb" for every class, the same in every process.

    given: one per class; None where the user chose none, such a class gets the next colour of `first` that differs from
    those that the user chose, or a generated one.
    """
    chosen = [colour.lower() for colour in given if colour is not None]
    free = list(first) if not chosen else _unlike(first, chosen)
    missing = len(given) - len(chosen)
    if missing > len(free):
        free += _generated(tuple(chosen + free), missing - len(free))
    rest = iter(free)
    return tuple(next(rest) if colour is None else colour.lower() for colour in given)


def _unlike(colours: Sequence[str], others: Sequence[str]) -> List[str]:
    places = _places(others)
    return [colour for colour, far in zip(colours, _distances(_places(colours), places) >= _LEAST) if far]


@functools.lru_cache(maxsize=16)
def _generated(before: Tuple[str, ...], number: int) -> List[str]:
    candidates = ["#%02x%02x%02x" % levels for levels in itertools.product(_STEPS, repeat=3)]
    places = _places(candidates)
    least, found = _distances(places, _places(before + _OTHERS)), []
    for _ in range(number):
        index = int(np.argmax(least))
        found.append(candidates[index])
        least = np.minimum(least, _distances(places, places[index : index + 1]))
    return found


def _distances(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of (N, S, 3) places to the nearest one of (M, S, 3), by the sight that sees the smallest difference: (N).

    Rounded, so that the order of additions in a processor's numpy chooses no colour.
    """
    least = np.full(len(places), np.inf)
    for other in others:
        least = np.minimum(least, np.sqrt(((places - other) ** 2).sum(axis=2)).min(axis=1))
    return np.round(least, 6)


def _places(colours: Sequence[str]) -> np.ndarray:
    """Colours in CIELAB, (N, S, 3), S = number of sights."""
    levels = np.array([tuple(bytes.fromhex(colour[1:])) for colour in colours], float).reshape(-1, 3) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return np.stack([_cielab(np.clip(linear.dot(sight.T), 0, 1)) for sight in _SIGHTS], axis=1)


def _cielab(linear: np.ndarray) -> np.ndarray:
    relative = linear.dot(_TO_XYZ.T) / _TO_XYZ.sum(axis=1)
    root = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
