"""A run's history as charts: curves of one unit stand on one chart, which matplotlib draws as SVG.

The page draws the legend, so that no untrusted text of a record reaches matplotlib or the SVG.
"""

import base64
import io
from typing import Any, Dict, List

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from shared_data.report.wording import plain

# kind of a chart: its title and the label of its axis
KINDS = {
    "losses": ("Losses", "loss"),
    "accuracies": ("Accuracies", "accuracy, %"),
    "rates": ("Learning rate", "learning rate"),
    "others": ("Other values", "value"),
}
# of the first curve, the second, ...; the names of the styles are CSS's too
COLOURS = ("#1f5788", "#b04a1c", "#4f6b1e", "#7b3f86", "#59626c", "#8a6d00")
STYLES = ("solid", "dashed", "dotted")

INK, FAINT, GRID = "#1c2127", "#59626c", "#d5d9dd"
_WIDTH, _HEIGHT = 5.0, 2.6  # inches, of 96 CSS pixels
_LARGEST = 1e30  # no loss is larger; differences of two values stay finite
_LOG_SPAN = 50  # a ratio of largest to smallest from which on a linear axis would hide the small values


def curves(history: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Charts as {kind, title, unit, series: [{name, steps, values}]}; other values are left out.

    Accuracies are in percent. Charts without a series are left out, so the list may be empty.
    """
    series: Dict[str, Dict[str, Any]] = {}
    for entry in sorted((entry for entry in history if _is_number(entry["step"])), key=lambda entry: entry["step"]):
        for name, value in entry.items():
            if name != "step" and _is_number(value):
                line = series.setdefault(name, {"name": name, "steps": [], "values": []})
                line["steps"].append(entry["step"])
                line["values"].append(value)
    charts = []
    for kind, (title, unit) in KINDS.items():
        members = [series[name] for name in sorted(series) if _kind(series[name]) == kind]
        if kind == "accuracies":
            members = [dict(line, values=[100 * value for value in line["values"]]) for line in members]
        if members:
            charts.append({"kind": kind, "title": title, "unit": unit, "series": members})
    return charts


def chart(curve: Dict[str, Any], selected: int, run_title: str) -> Dict[str, Any]:
    """One chart of `curves` as the page shows it: {title, alt, src, width, height, legend, selected}.

    selected: the step whose weights were kept; marked by a vertical line, and given in the result, where it lies within
        the curves, else None there. legend: [{name, colour, style}].
    """
    steps = [step for line in curve["series"] for step in line["steps"]]
    shown = selected if min(steps) <= selected <= max(steps) else None
    ends = ["%s from %s to %s" % (line["name"], plain(line["values"][0]), plain(line["values"][-1]))
            for line in curve["series"]]  # fmt: skip
    return {
        "title": curve["title"],
        "alt": "%s of %s, by step: %s." % (curve["title"], run_title, "; ".join(ends)),
        "src": svg_uri(draw(curve, shown)),
        "width": round(96 * _WIDTH),
        "height": round(96 * _HEIGHT),
        "legend": [dict(_look(number), name=line["name"]) for number, line in enumerate(curve["series"])],
        "selected": shown,
    }


def draw(curve: Dict[str, Any], selected: Any) -> bytes:
    """The chart as an SVG document. The same curves give the same bytes under the same version of matplotlib."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    axes = figure.add_subplot(1, 1, 1)
    for number, line in enumerate(curve["series"]):
        look, single = _look(number), len(line["values"]) == 1
        axes.plot(line["steps"], line["values"], color=look["colour"], linestyle=look["style"], linewidth=1.3,
                  marker="o" if single else "", markersize=4)  # fmt: skip
    if selected is not None:
        axes.axvline(selected, color=INK, linewidth=0.8, linestyle="dotted")
    if _is_logarithmic(curve):
        axes.set_yscale("log")
        axes.minorticks_off()
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel(curve["unit"] + (" (logarithmic)" if _is_logarithmic(curve) else ""), color=INK)
    axes.tick_params(colors=FAINT, labelsize=8)
    axes.grid(True, axis="y", color=GRID, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(FAINT)
    figure.tight_layout()
    return svg_of(figure)


def svg_of(figure: Figure) -> bytes:
    """A figure as an SVG document, with its texts as texts."""
    FigureCanvasSVG(figure)
    # names inside the SVG are hashed with a salt, which would be drawn at random
    with matplotlib.rc_context({"svg.hashsalt": "hsi", "svg.fonttype": "none"}):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def svg_uri(svg: bytes) -> str:
    """An SVG document as a data URI."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def _is_logarithmic(curve: Dict[str, Any]) -> bool:
    values = [value for line in curve["series"] for value in line["values"]]
    return curve["kind"] == "losses" and min(values) > 0 and max(values) / min(values) >= _LOG_SPAN


def _look(number: int) -> Dict[str, str]:
    return {"colour": COLOURS[number % len(COLOURS)], "style": STYLES[number % len(STYLES)]}


def _kind(line: Dict[str, Any]) -> str:
    name = line["name"].lower()
    if "loss" in name:
        return "losses"
    if name == "lr" or "learning_rate" in name:
        return "rates"
    return "accuracies" if all(0 <= value <= 1 for value in line["values"]) else "others"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST
