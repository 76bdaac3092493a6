"""The overview of a scene as a picture: per paper a line for each of its four columns, with a dot, a bar and a text.

Texts in it are the titles of published.toml and numbers, so no text of a record reaches the SVG.
"""

import math
import textwrap
from typing import Any, Dict, List, NamedTuple, Tuple

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from shared_data.comparison.overview import (
    COLUMNS,
    OTHER_FIELDS,
    POSITION,
    PUBLISHED,
    RELEASED,
    TEXT,
    Cell,
    Overview,
    runs,
)
from shared_data.report.charts import FAINT, GRID, INK
from shared_data.report.figures import WIDTH
from shared_data.report.wording import percent

# of a column: marker, colour, whether it is filled; Okabe and Ito's colours, as in the other figures
_LOOKS: Dict[str, Tuple[str, str, bool]] = {
    PUBLISHED: ("D", INK, False),
    RELEASED: ("o", "#0072b2", True),
    TEXT: ("s", "#009e73", True),
    OTHER_FIELDS: ("^", "#d55e00", True),
}
_LINE = 0.19  # inches between two lines
_TITLE_WIDTH = 12  # characters that fit beside the names of the columns
_BASELINE, _PLACE = "#8a929a", "#cc79a7"


class _Place(NamedTuple):
    """A line of the picture: its height, the text before and behind it, and what it shows."""

    y: float
    column: str
    cell: Cell
    baselines: Dict[str, float]


def draw_overview(seen: Overview) -> Figure:
    """The picture; bars are standard deviations over runs, under the protocol of other fields 95 % intervals."""
    places, titles = _places(seen)
    lines = places[-1].y + 1
    height = _LINE * lines + 1.25
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.265, 0.95 / height, 0.475, (height - 1.2) / height))
    for place in places:
        _draw_line(axes, place)
    for y, title in titles:
        for below, words in enumerate(
            textwrap.wrap(title, _TITLE_WIDTH)
        ):  # a variant's is long: beside the columns' names
            axes.text(-0.545, y + below, words, transform=axes.get_yaxis_transform(), va="center", color=INK,
                      fontsize=9.5, fontweight="bold")  # fmt: skip
        if y:
            axes.axhline(y - 0.8, color=GRID, linewidth=0.8)
    axes.set_ylim(lines - 0.3, -0.7)
    axes.set_xlim(_left_end(places), 101)
    axes.set_yticks([place.y for place in places])
    axes.set_yticklabels([place.column for place in places])
    axes.tick_params(axis="y", length=0, colors=INK, labelsize=9)
    axes.tick_params(axis="x", colors=FAINT, labelsize=9)
    axes.grid(True, axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(FAINT)
    axes.set_xlabel("overall accuracy, %", color=INK, fontsize=9)
    figure.legend(*_legend(), loc="lower center", ncol=2, frameon=False, fontsize=8.5, columnspacing=1.5)
    return figure


def _places(seen: Overview) -> Tuple[List[_Place], List[Tuple[float, str]]]:
    """All lines from above to below, and the heights of the papers' titles."""
    on_other_fields = {row.method: row.oa[0] for row in seen.baselines}
    places: List[_Place] = []
    titles: List[Tuple[float, str]] = []
    y = 0.0
    for row in seen.rows:
        titles.append((y, row.title))
        for column in COLUMNS:
            cell = row.cells[column]
            places.append(_Place(y, column, cell, on_other_fields if column == OTHER_FIELDS else cell.baselines))
            y += 1
        y += 0.6
    return places, titles


def _draw_line(axes: Any, place: _Place) -> None:
    marker, colour, filled = _LOOKS[place.column]
    cell = place.cell
    for name, accuracy in place.baselines.items():
        if name == POSITION:
            axes.plot([100 * accuracy], [place.y], marker="x", color=_PLACE, markersize=5.5, markeredgewidth=1.5)
        else:
            axes.plot([100 * accuracy], [place.y], marker="|", color=_BASELINE, markersize=7, markeredgewidth=1.1)
    if cell.value is not None:
        ends = cell.interval or (cell.value - (cell.std or 0), cell.value + (cell.std or 0))
        axes.plot([100 * end for end in ends], [place.y, place.y], color=colour, linewidth=1.6)
        axes.plot([100 * cell.value], [place.y], marker=marker, markersize=6, color=colour, linestyle="none",
                  markerfacecolor=colour if filled else "#ffffff", markeredgewidth=1.3)  # fmt: skip
    there = cell.value is not None
    said, colour, style = (_beside(cell), INK, "normal") if there else (cell.missing, FAINT, "italic")
    beside = axes.get_yaxis_transform()
    axes.text(1.02, place.y, said, transform=beside, va="center", fontsize=9, color=colour, style=style)


def _beside(cell: Cell) -> str:
    """The number without its interval, which the picture shows."""
    return "%s%s, %s" % (percent(cell.value, cell.std), " (log)" if cell.log else "", runs(cell.n))


def _left_end(places: List[_Place]) -> float:
    """Where the axis begins: a multiple of ten below all that is drawn."""
    shown = [accuracy for place in places for accuracy in place.baselines.values()]
    for cell in (place.cell for place in places):
        if cell.value is not None:
            shown += [cell.value - (cell.std or 0), *(cell.interval or ())]
    return max(0.0, 10 * math.floor(10 * min(shown, default=0) - 0.2))


def _legend() -> Tuple[List[Line2D], List[str]]:
    bar = Line2D([], [], color=INK, linewidth=1.6)
    tick = Line2D([], [], marker="|", color=_BASELINE, linestyle="none", markersize=8, markeredgewidth=1.3)
    cross = Line2D([], [], marker="x", color=_PLACE, linestyle="none", markersize=5.5, markeredgewidth=1.5)
    interval = Line2D([], [], color=_LOOKS[OTHER_FIELDS][1], linewidth=1.6)
    names = [
        "± standard deviation over runs",
        "95 % interval over spatial units",
        "baselines without a network, same pixels",
        "place alone: class of the nearest training pixel",
    ]
    return [bar, interval, tick, cross], names
