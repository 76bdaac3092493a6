"""Figures of splits and of accuracies over fields, drawn by matplotlib: 720 pixels wide, legible to the colour-blind.

Texts in them are names of methods, which a record's schema limits to letters, digits, - and _, and of classes, of the
catalogue or of an own scene's record; matplotlib escapes what XML reserves. No other text of a record reaches the SVG.
"""

import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.ndimage import maximum_filter

from shared_data.comparison.methods import FEW_PIXELS  # a marker or a bar of fewer test pixels is hollow
from shared_data.evaluation.distances import DistanceBin, accuracy_by_distance
from shared_data.evaluation.maps import as_text
from shared_data.report.charts import FAINT, GRID, INK, svg_of, svg_uri
from shared_data.report.wording import span
from shared_data.splits.disjoint import distance_to
from shared_data.splits.draws import Split

# Okabe and Ito's palette for all kinds of colour vision, without its yellow, which is faint on white
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLES = ("solid", "dashed")  # of the first seven methods, and of the next
WIDTH = 7.5  # inches, of 96 pixels

UNLABELLED, TEST, TRAIN, VAL, BUFFER, UNUSED = range(6)  # of a split map
_ROLES = (
    (TRAIN, "training", "#d55e00"),
    (VAL, "validation", "#000000"),
    (TEST, "test", "#56b4e9"),
    (BUFFER, "too near to test pixels", "#9a9a9a"),
    (UNUSED, "not drawn", "#dedede"),
)


class MethodRecall(NamedTuple):
    """recall: per class a fraction, None without a test pixel. intervals: of them, None where there is none."""

    name: str
    recall: Sequence[Optional[float]]
    intervals: Sequence[Optional[Tuple[float, float]]]


def picture(title: str, alt: str, figure: Figure) -> Dict[str, object]:
    """A figure as the page shows it: {title, alt, src, width, height}, sizes in pixels."""
    width, height = figure.get_size_inches()
    return {
        "title": title,
        "alt": alt,
        "src": svg_uri(svg_of(figure)),
        "width": round(96 * width),
        "height": round(96 * height),
    }


def roles_of(ground_truth: np.ndarray, split: Split) -> np.ndarray:
    """(H, W) uint8: what each pixel is in a split, `UNLABELLED` to `UNUSED`.

    `BUFFER` are labelled pixels that are in no set and nearer to a test pixel than all training and validation pixels.
    """
    roles = np.where(ground_truth > 0, UNUSED, UNLABELLED).astype(np.uint8)
    if len(split.test):
        distance = distance_to(split.test, ground_truth.shape)
        used = np.concatenate([split.train, split.val])
        nearest = distance.ravel()[used].min() if len(used) else 0
        roles[(ground_truth > 0) & (distance < nearest)] = BUFFER
    for role, pixels in ((TEST, split.test), (VAL, split.val), (TRAIN, split.train)):
        roles.ravel()[pixels] = role
    return roles


def draw_splits(maps: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """Maps of `roles_of` beside each other, three in a row at most."""
    columns = min(len(maps), 3)
    rows = -(-len(maps) // columns)
    height, width = maps[0].shape
    panel = min(WIDTH / columns, 5.5)  # inches
    figure = Figure(figsize=(WIDTH, rows * (panel * height / width + 0.3) + 0.45))
    colours = ["#ffffff"] * (UNUSED + 1)
    for role, _, colour in _ROLES:
        colours[role] = colour
    for number, (roles, title) in enumerate(zip(maps, titles), start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.imshow(_visible(roles), cmap=ListedColormap(colours), vmin=0, vmax=len(colours) - 1, interpolation="none")
        axes.set_title(title, fontsize=10, color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color(GRID)
    shown = [entry for entry in _ROLES if any((roles == entry[0]).any() for roles in maps)]
    handles = [Patch(facecolor=colour, edgecolor=FAINT, linewidth=0.5) for _, _, colour in shown]
    names = [name for _, name, _ in shown]
    figure.legend(handles, names, loc="lower center", ncol=len(shown), frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.35 / figure.get_size_inches()[1], 1, 1))
    return figure


def _visible(roles: np.ndarray) -> np.ndarray:
    """The map with the single pixels that train and validate enlarged, so that they can be seen on large scenes."""
    side = 2 * (max(roles.shape) // 300) + 1
    shown = roles.copy()
    for role in (VAL, TRAIN):
        shown[maximum_filter((roles == role).astype(np.uint8), size=side) > 0] = role
    return shown


def draw_histogram(entries: Sequence[Dict[str, int]]) -> Figure:
    """A record's `distances`: the share of test pixels at each distance to the nearest training pixel."""
    figure = Figure(figsize=(WIDTH, 2.6))
    axes = figure.add_subplot(1, 1, 1)
    pixels = np.array([entry["pixels"] for entry in entries], float)
    axes.bar([entry["distance"] for entry in entries], 100 * pixels / pixels.sum(), width=0.8, color=PALETTE[0])
    axes.set_xlabel("distance to the nearest training pixel, in pixels", color=INK)
    axes.set_ylabel("test pixels, %", color=INK)
    axes.set_xlim(left=0)
    _plain(axes)
    figure.tight_layout()
    return figure


def draw_by_distance(methods: Sequence[Tuple[str, Sequence[Dict[str, int]]]]) -> Figure:
    """Accuracy against the distance to the nearest training pixel, and below it how many test pixels are at it.

    methods: name and a record's `distances`. Points of fewer than `FEW_PIXELS` test pixels are hollow.
    """
    figure = Figure(figsize=(WIDTH, 4.6))
    grid = figure.add_gridspec(2, 1, height_ratios=(3.4, 1))
    above, below = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    binned = [accuracy_by_distance(entries) for _, entries in methods]
    shown = [place for place in range(len(binned[0])) if any(bins[place].pixels for bins in binned)]
    handles = []
    for number, bins in enumerate(binned):
        handles.append(_line(above, number, [bins[place] for place in shown]))
    total = np.array([sum(bins[place].pixels for bins in binned) for place in shown], float)
    below.bar(range(len(shown)), 100 * total / total.sum(), width=0.7, color=FAINT)
    below.set_ylabel("test\npixels, %", color=INK)
    below.set_xlabel("distance to the nearest training pixel, in pixels", color=INK)
    above.set_ylabel("accuracy, %", color=INK)
    highest = max(part.accuracy for bins in binned for part in bins if part.accuracy is not None)
    above.set_ylim(-2, 20 * math.ceil(5 * highest) + 2)  # lines of many methods lie close together
    for axes in (above, below):
        axes.set_xticks(range(len(shown)))
        axes.set_xlim(-0.6, len(shown) - 0.4)
        _plain(axes)
    above.set_xticklabels([])
    below.set_xticklabels([binned[0][place].name for place in shown])
    names = [name for name, _ in methods]
    above.legend(handles, names, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    figure.tight_layout()
    return figure


def _line(axes: Any, number: int, bins: List[DistanceBin]) -> Line2D:
    """One method's accuracies; its place among the methods decides how it looks. Gives what the legend shows."""
    colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
    style = STYLES[number // len(PALETTE) % len(STYLES)]
    there = [(x, 100 * part.accuracy, part.pixels) for x, part in enumerate(bins) if part.accuracy is not None]
    axes.plot([x for x, _, _ in there], [y for _, y, _ in there], color=colour, linestyle=style, linewidth=1.4)
    for enough, fill in ((True, colour), (False, "#ffffff")):
        points = [(x, y) for x, y, pixels in there if (pixels >= FEW_PIXELS) == enough]
        axes.plot([x for x, _ in points], [y for _, y in points], linestyle="none", marker=marker, markersize=5.5,
                  markerfacecolor=fill, markeredgecolor=colour)  # fmt: skip
    return Line2D([], [], color=colour, linestyle=style, marker=marker, markersize=5.5)


def draw_classes(names: Sequence[str], pixels: Sequence[Tuple[int, int]], methods: Sequence[MethodRecall]) -> Figure:
    """Recall of each class as bars, one per method, with their intervals.

    names: of the classes. pixels: their test pixels, smallest and largest number over seeds. Bars of fewer than
    `FEW_PIXELS` test pixels are hollow.
    """
    figure = Figure(figsize=(WIDTH, 0.9 + len(names) * (0.12 + 0.15 * len(methods))))
    axes = figure.add_subplot(1, 1, 1)
    thick = 0.8 / len(methods)
    for number, method in enumerate(methods):
        colour = PALETTE[number % len(PALETTE)]
        for row, recall in enumerate(method.recall):
            if recall is None:
                continue
            place = row + thick * (number - (len(methods) - 1) / 2)
            few = pixels[row][0] < FEW_PIXELS
            axes.barh(place, 100 * recall, height=0.85 * thick, color="#ffffff" if few else colour, edgecolor=colour)
            ends = method.intervals[row]
            if ends is not None:
                for colour_of_line, thickness in (("#ffffff", 2.8), (INK, 1.2)):  # visible on bars of any colour
                    axes.plot([100 * end for end in ends], [place, place], color=colour_of_line, linewidth=thickness)
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels(["%s  (n %s)" % (as_text(name), span(ends)) for name, ends in zip(names, pixels)])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_xlim(0, 100)
    axes.set_xlabel("recall, %", color=INK)
    _plain(axes, "x")
    axes.tick_params(axis="y", length=0, colors=INK)
    if len(methods) > 1:
        handles = [Patch(facecolor=PALETTE[number % len(PALETTE)]) for number in range(len(methods))]
        axes.legend(handles, [method.name for method in methods], loc="lower center", bbox_to_anchor=(0.5, 1.0),
                    ncol=len(methods), frameon=False, fontsize=9)  # fmt: skip
    figure.tight_layout()
    return figure


def _plain(axes: Any, grid: str = "y") -> None:
    axes.tick_params(colors=FAINT, labelsize=9)
    axes.grid(True, axis=grid, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(FAINT)
