"""Curves as geometry: where lines, ticks and labels of a chart lie, in the units of an SVG viewBox.

The template draws them. Losses that span orders of magnitude get a logarithmic axis; a long history is thinned.
"""

import math
from typing import Any, Dict, List, Tuple

WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 66, 24, 12, 46
MOST_POINTS = 300  # of one line: more than the chart is wide enough to show
PATTERNS = 6  # dash patterns and colours that the style sheet knows
_LOG_SPAN = 50  # a ratio of largest to smallest from which on a linear axis would hide the small values


def chart(curve: Dict[str, Any], selected: int) -> Dict[str, Any]:
    """Geometry of one chart of `curves.curves`.

    selected: the step whose weights were kept; marked by a vertical line where it lies within the chart.
    """
    scale = 100 if curve["kind"] == "accuracies" else 1
    values = [scale * value for line in curve["series"] for value in line["values"]]
    steps = [step for line in curve["series"] for step in line["steps"]]
    logarithmic = curve["kind"] == "losses" and min(values) > 0 and max(values) / min(values) >= _LOG_SPAN
    across = _Axis(steps, LEFT, WIDTH - RIGHT)
    up = (_LogAxis if logarithmic else _Axis)(values, HEIGHT - BOTTOM, TOP)
    lines = []
    for number, line in enumerate(curve["series"]):
        points = _thinned(list(zip(line["steps"], line["values"])))
        lines.append(
            {
                "name": line["name"],
                "pattern": number % PATTERNS,
                "points": [(_place(across.at(step)), _place(up.at(scale * value))) for step, value in points],
                "first": scale * line["values"][0],
                "last": scale * line["values"][-1],
            }
        )
    return {
        "title": curve["title"],
        "unit": curve["unit"] + (" (logarithmic)" if logarithmic else ""),
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
        "x_ticks": [(_place(across.at(tick)), _label(tick)) for tick in across.ticks()],
        "y_ticks": [(_place(up.at(tick)), _label(tick)) for tick in up.ticks()],
        "lines": lines,
        "selected": _place(across.at(selected)) if across.low <= selected <= across.high else None,
        "selected_step": selected,
        "thinned": max(len(line["values"]) for line in curve["series"]) > MOST_POINTS,
    }


class _Axis:
    """Maps values linearly to positions; its ends are round numbers, `low` and `high`, with ticks between them."""

    def __init__(self, values: List[float], start: float, end: float):
        low, high = min(values), max(values)
        if low == high:
            room = abs(low) / 2 or 1
            low, high = low - room, high + room
        self._step = _round_step((high - low) / 5)
        self.low = math.floor(low / self._step) * self._step
        self.high = math.ceil(high / self._step) * self._step
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> List[float]:
        first, last = round(self.low / self._step), round(self.high / self._step)
        return [number * self._step for number in range(first, last + 1)]


class _LogAxis(_Axis):
    """The same by the logarithm of positive values; its ends and ticks are powers of ten."""

    def __init__(self, values: List[float], start: float, end: float):
        self._step = 1.0
        self.low, self.high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        return super().at(math.log10(value))

    def ticks(self) -> List[float]:
        every = math.ceil((self.high - self.low) / 6)
        return [10.0**power for power in range(self.low, self.high + 1, every)]


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _thinned(points: List[Tuple[float, float]]) -> List[Tuple[float, float]]:
    """Evenly chosen points, the last among them."""
    every = math.ceil(len(points) / MOST_POINTS)
    return points[:-1:every] + points[-1:]


def _place(position: float) -> float:
    return round(position, 1)


def _label(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return "{:,}".format(int(value))
    return "%.4g" % value
