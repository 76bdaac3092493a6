"""How time and memory of the five papers grow from Indian Pines' size to Houston's; one case per process.

    python -m contracts.measure_growth OUT      measure every case; draw OUT/growth.svg, keep OUT/growth.json
    python -m contracts.measure_growth PAPER HEIGHTxWIDTH train|predict

The network is that of Indian Pines (200 bands, 16 classes), the scene random, so that only the number of pixels
differs. Times are the processor's, which other processes lengthen least. A case whose memory, by the smaller scene's,
would not fit is left out. Run it in a checkout with the current stacks' environments (make environments), by that of a
paper on PyTorch; every case runs in its paper's.
"""

import importlib
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.comparison.published import load_papers
from shared_data.runs import environment
from shared_data.runs.allocator import keep_freed_memory
from shared_data.runs.memory import free_memory

CHECKOUT = Path(__file__).resolve().parents[2]
ACTIONS = ("train", "predict")
# sides of Indian Pines, Salinas, PaviaU, Houston 2013
SIZES = {"145x145": "Indian Pines", "512x217": "Salinas", "610x340": "PaviaU", "349x1905": "Houston 2013"}
# pixels that a network of patches predicts, because every pixel costs the same
PREDICTED = 4096
PREDICTED_BY_APDCLNN = 512  # a pixel takes ten times as long
LARGE = 10**5  # pixels; so long a prediction is timed at once, because its start weighs little
SHARE_OF_MEMORY = 0.9  # of what is free; more than it is not tried


class Cost(NamedTuple):
    """processed: pixels that the action classifies. memory_mb: peak, less what was resident before the scene."""

    pixels: int
    processed: int
    seconds: float
    memory_mb: float


Case = Tuple[Callable[[], Any], int]  # a step or a prediction, and the pixels that it classifies


def measure(paper: str, size: str, action: str) -> Cost:
    """One step, or one prediction, after one that is not timed (a prediction of `LARGE` pixels or more: at once)."""
    height, width = (int(side) for side in size.split("x"))
    keep_freed_memory()
    importlib.import_module(paper + ".bench")
    start_mb = environment.peak_memory_mb()
    step, processed = PAPERS[paper].build(height, width, action)
    if action == "train" or processed < LARGE:
        step()
    start = time.process_time()
    step()
    seconds = time.process_time() - start
    return Cost(height * width, processed, seconds, environment.peak_memory_mb() - start_mb)


def _of_the_scene(paper: str, height: int, width: int, action: str) -> Case:
    import torch

    from shared_data.preprocessing.standardise import padded_side

    subject = importlib.import_module(paper + ".bench").SUBJECT
    subject.padded_sides = lambda _: (padded_side(height, 16), padded_side(width, 16))
    cpu = torch.device("cpu")
    network, batch = subject.build("indianpines", "ours", cpu), subject.minibatch("indianpines", cpu)
    if action == "train":
        return subject.training_step(network, batch), height * width
    predict_scene = importlib.import_module(paper + ".predict").predict_scene
    return lambda: predict_scene(network, batch[0], height, width), height * width


def _of_a2s2k(height: int, width: int, action: str) -> Case:
    import torch

    from a2s2k_resnet import bench
    from a2s2k_resnet.prediction import predict_pixels

    scene = np.random.default_rng(0).standard_normal((height, width, bench.BANDS), dtype=np.float32)
    subject = bench.Ours("a2s2k", torch.device("cpu"), scene)
    if action == "train":
        return bench.training_step(subject), bench.BATCH
    pixels = _spread(height, width, PREDICTED)
    return lambda: predict_pixels(subject.network, subject.gatherer, pixels), PREDICTED


def _of_da_imrn(height: int, width: int, action: str) -> Case:
    from da_imrn import bench_worker
    from da_imrn.prediction import predict_patches

    subject = bench_worker.Ours("indianpines")
    random = np.random.default_rng(0)
    subject.cube = random.integers(0, 8000, (height, width, subject.cube.shape[2]), dtype=np.uint16)
    limits = (height - subject.patch, width - subject.patch)
    subject.corners = random.integers(0, limits, (PREDICTED // subject.patch**2, 2))
    if action == "train":
        return subject.step, bench_worker.BATCH * subject.patch**2
    return lambda: predict_patches(subject.model, subject.cube, subject.corners, subject.patch), PREDICTED


def _of_apdclnn(height: int, width: int, action: str) -> Case:
    from apdclnn import bench, experiments
    from apdclnn.prediction import predict_pixels

    model = bench.build_ours("indianpines", "/CPU:0", height, width)
    batch = experiments.load("indianpines")["train"]["batch"]
    if action == "train":
        return lambda: model.train_on(_spread(height, width, batch), np.zeros(batch, np.int32)), batch
    pixels = _spread(height, width, PREDICTED_BY_APDCLNN)
    return lambda: predict_pixels(model, pixels), PREDICTED_BY_APDCLNN


def _spread(height: int, width: int, count: int) -> np.ndarray:
    """Flat indices of so many pixels, spread over the scene."""
    return np.linspace(0, height * width - 1, count).astype(np.int64)


class Paper(NamedTuple):
    """build: height, width, action to a `Case`. marker, colour: of its line."""

    slug: str
    build: Callable[[int, int, str], Case]
    marker: str
    colour: str

    @property
    def title(self) -> str:
        """As everywhere."""
        return next(paper.title for paper in load_papers() if paper.slug == self.slug)

    @property
    def python(self) -> str:
        """The interpreter of its current stack."""
        return str(CHECKOUT / ".venvs" / (self.slug + "-modern") / "bin" / "python")


# by package
PAPERS = {
    "ssdgl": Paper("ssdgl", partial(_of_the_scene, "ssdgl"), "o", "#0072b2"),
    "rssgl": Paper("rssgl", partial(_of_the_scene, "rssgl"), "s", "#009e73"),
    "a2s2k_resnet": Paper("a2s2k", _of_a2s2k, "^", "#d55e00"),
    "da_imrn": Paper("da-imrn", _of_da_imrn, "D", "#cc79a7"),
    "apdclnn": Paper("apdclnn", _of_apdclnn, "v", "#e69f00"),
}


def measure_all() -> List[Dict[str, Any]]:
    """Every case that fits, as rows with paper, size, action and the fields of `Cost`."""
    rows = []
    for name, paper in PAPERS.items():
        for action in ACTIONS:
            smaller: Optional[Cost] = None
            for size in SIZES:
                if smaller and not _fits(smaller, size):
                    print("%s %s, %s: left out, it would not fit into memory" % (name, size, action), flush=True)
                    break
                words = [paper.python, "-m", "contracts.measure_growth", name, size, action]
                smaller = Cost(*json.loads(subprocess.check_output(words)))
                print(name, size, action, smaller, flush=True)
                rows.append(dict(smaller._asdict(), paper=name, size=size, action=action))
    return rows


def _fits(smaller: Cost, size: str) -> bool:
    needed, free = 1e6 * smaller.memory_mb * _pixels_of(size) / smaller.pixels, free_memory()
    return free is None or needed < SHARE_OF_MEMORY * free


def _pixels_of(size: str) -> int:
    height, width = size.split("x")
    return int(height) * int(width)


def draw(rows: List[Dict[str, Any]]) -> Any:
    """Time per classified pixel and memory per pixel of the scene, for training and prediction."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    from shared_data.report.figures import WIDTH

    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    panels[0][0].set_xscale("log")
    for column, (action, title) in enumerate(zip(ACTIONS, ("a training step", "prediction"))):
        time_axes, memory_axes = panels[0][column], panels[1][column]
        for name, paper in PAPERS.items():
            cases = [row for row in rows if row["paper"] == name and row["action"] == action]
            pixels = [row["pixels"] for row in cases]
            options = {"marker": paper.marker, "color": paper.colour, "label": paper.title}
            time_axes.plot(pixels, [1e6 * row["seconds"] / row["processed"] for row in cases], **options)
            memory_axes.plot(pixels, [1e3 * row["memory_mb"] / row["pixels"] for row in cases], **options)
        time_axes.set_title(title, fontsize=10)
        for axes in (time_axes, memory_axes):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.grid(True, linewidth=0.5, alpha=0.5)
        memory_axes.set_xticks([_pixels_of(size) for size in SIZES], SIZES.values(), rotation=20, ha="right")
        memory_axes.tick_params(axis="x", which="minor", bottom=False)
    panels[0][0].set_ylabel("µs per classified pixel")
    panels[1][0].set_ylabel("kB per pixel of the scene")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=8)
    return figure


def table(rows: List[Dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| network | action | size | processor time | µs per pixel | memory | kB per pixel |", "|---" * 7 + "|"]
    for row in rows:
        of_pixel = 1e6 * row["seconds"] / row["processed"], 1e3 * row["memory_mb"] / row["pixels"]
        lines.append(
            "| %s | %s | %s (%s) | %.3g s | %.0f | %.0f MB | %.1f |"
            % (PAPERS[row["paper"]].title, row["action"], SIZES[row["size"]], row["size"].replace("x", "×"),
               row["seconds"], of_pixel[0], row["memory_mb"], of_pixel[1])
        )  # fmt: skip
    return "\n".join(lines)


def main(words: List[str]) -> None:
    if len(words) == 3:
        print(json.dumps(measure(*words)))
        return
    from shared_data.report.charts import svg_of

    out = Path(words[0])
    rows = measure_all()
    (out / "growth.json").write_text(json.dumps(rows, indent=1) + "\n")
    (out / "growth.svg").write_bytes(svg_of(draw(rows)))
    print(table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
