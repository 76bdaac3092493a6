"""The demo's picture: the ground truth, and the class map of every run, in one file."""

from pathlib import Path
from typing import Any, List, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from shared_data.files.atomic import atomic_path
from shared_data.scenes.loading import LoadedScene
from tools.demo.runs import PROTOCOLS, Finished

_PALE = 0.75  # share of white in pixels that are not tested
_SIDE = 3.2  # inches of a map's longer side
_COLOURS = "full colour: tested pixels\npale: all others"
_NAMES = {"spatial-cv": "other fields"}


def write_montage(path: Path, papers: Sequence[str], runs: List[Finished], loaded: LoadedScene) -> None:
    """A row for each paper, a column for each protocol. Tested pixels have their class's full colour, all others a pale
    one. Raises: OSError where the file cannot be written."""
    height, width = loaded.ground_truth.shape
    columns = len(PROTOCOLS) + 1
    size = (columns * _SIDE * width / height + 0.4, len(papers) * (_SIDE + 0.5) + 0.2)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(len(papers), columns, squeeze=False)
    for axis in axes.ravel():
        axis.set_axis_off()
    truth = loaded.ground_truth
    _draw(axes[0, 0], truth, truth > 0, loaded, "ground truth")
    for row, paper in enumerate(papers):
        for column, protocol in enumerate(PROTOCOLS, 1):
            found = [run for run in runs if (run.paper, run.protocol) == (paper, protocol)]
            if found:
                _draw_run(axes[row, column], found[0], loaded)
    keys = [Patch(color=colour, label=name) for name, colour in zip(loaded.scene.class_names, loaded.scene.palette)]
    where: Any = axes[1, 0] if len(papers) > 1 else figure
    place = "upper left" if len(papers) > 1 else "outside right upper"
    where.legend(handles=keys, loc=place, frameon=False, title=_COLOURS, alignment="left")
    with atomic_path(path) as temporary, open(str(temporary), "wb") as file:
        canvas.print_png(file)


def _draw_run(axis: Any, run: Finished, loaded: LoadedScene) -> None:
    tested = np.zeros(run.prediction.size, bool)
    tested[run.split.test] = True
    title = "%s, %s: OA %.1f %%" % (
        run.paper, _NAMES.get(run.protocol, run.protocol), 100 * run.record["metrics"]["oa"],
    )  # fmt: skip
    _draw(axis, run.prediction, tested.reshape(run.prediction.shape), loaded, title)


def _draw(axis: Any, classes: np.ndarray, tested: np.ndarray, loaded: LoadedScene, title: str) -> None:
    colours = np.array([(1.0, 1.0, 1.0)] + [to_rgb(colour) for colour in loaded.scene.palette])[classes]
    pale = colours + _PALE * (1.0 - colours)
    axis.imshow(np.where(tested[:, :, np.newaxis], colours, pale), interpolation="nearest")
    axis.set_title(title, fontsize=10)
