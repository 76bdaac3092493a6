"""How time and memory of the papers on PyTorch grow from Indian Pines' size to Houston's; one case per process.

    python -m contracts.measure_growth OUT      measure every case; draw OUT/growth.svg, keep OUT/growth.json
    python -m contracts.measure_growth PAPER HEIGHTxWIDTH train|predict

The network is that of Indian Pines (200 bands, 16 classes), the scene random, so that only the number of pixels
differs. Times are the processor's, which other processes lengthen least. A case whose memory, by the smaller scene's,
would not fit is left out. Run it with an environment that has PyTorch, such as .venvs/rssgl-modern, from a checkout.
"""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.runs import environment
from shared_data.runs.allocator import keep_freed_memory
from shared_data.runs.memory import free_memory

PAPERS = {"ssdgl": "SSDGL", "rssgl": "RSSGL", "a2s2k_resnet": "A2S2K-ResNet"}
ACTIONS = ("train", "predict")
# sides of Indian Pines, Salinas, PaviaU, Houston 2013
SIZES = {"145x145": "Indian Pines", "512x217": "Salinas", "610x340": "PaviaU", "349x1905": "Houston 2013"}
PATCHES = 4096  # a network of patches predicts so many pixels, because every pixel costs the same
SHARE_OF_MEMORY = 0.9  # of what is free; more than it is not tried


class Cost(NamedTuple):
    """processed: pixels that the action classifies. memory_mb: peak, less what was resident before the scene."""

    pixels: int
    processed: int
    seconds: float
    memory_mb: float


def measure(paper: str, size: str, action: str) -> Cost:
    """One step, or one prediction, after a first that is not timed (of a prediction, unless the scene is large)."""
    height, width = (int(side) for side in size.split("x"))
    keep_freed_memory()
    build = _of_patches if paper == "a2s2k_resnet" else _of_the_scene
    importlib.import_module(paper + ".bench")
    start_mb = environment.peak_memory_mb()
    step, processed = build(paper, height, width, action)
    if action == "train" or height * width < 10**5:
        step()
    start = time.process_time()
    step()
    seconds = time.process_time() - start
    return Cost(height * width, processed, seconds, environment.peak_memory_mb() - start_mb)


def _of_the_scene(paper: str, height: int, width: int, action: str) -> Tuple[Callable[[], Any], int]:
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


def _of_patches(paper: str, height: int, width: int, action: str) -> Tuple[Callable[[], Any], int]:
    import torch

    from a2s2k_resnet import bench
    from a2s2k_resnet.prediction import predict_pixels

    scene = np.random.default_rng(0).standard_normal((height, width, bench.BANDS), dtype=np.float32)
    subject = bench.Ours("a2s2k", torch.device("cpu"), scene)
    if action == "train":
        return bench.training_step(subject), bench.BATCH
    pixels = np.linspace(0, height * width - 1, PATCHES).astype(np.int64)
    return lambda: predict_pixels(subject.network, subject.gatherer, pixels), PATCHES


def measure_all() -> List[Dict[str, Any]]:
    """Every case that fits, as rows with paper, size, action and the fields of `Cost`."""
    rows = []
    for paper in PAPERS:
        for action in ACTIONS:
            smaller: Optional[Cost] = None
            for size in SIZES:
                if smaller and not _fits(smaller, size):
                    print("%s %s, %s: left out, it would not fit into memory" % (paper, size, action), flush=True)
                    break
                words = [sys.executable, "-m", "contracts.measure_growth", paper, size, action]
                smaller = Cost(*json.loads(subprocess.check_output(words)))
                print(paper, size, action, smaller, flush=True)
                rows.append(dict(smaller._asdict(), paper=paper, size=size, action=action))
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
    looks = dict(zip(PAPERS, (("o", "#0072b2"), ("s", "#009e73"), ("^", "#d55e00"))))
    for column, (action, title) in enumerate(zip(ACTIONS, ("a training step", "prediction"))):
        time_axes, memory_axes = panels[0][column], panels[1][column]
        for paper, (marker, colour) in looks.items():
            cases = [row for row in rows if row["paper"] == paper and row["action"] == action]
            pixels = [row["pixels"] for row in cases]
            options = {"marker": marker, "color": colour, "label": PAPERS[paper]}
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
    panels[0][1].legend(frameon=False, fontsize=8)
    return figure


def table(rows: List[Dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| network | action | size | processor time | µs per pixel | memory | kB per pixel |", "|---" * 7 + "|"]
    for row in rows:
        lines.append(
            "| %s | %s | %s (%s) | %.3g s | %.0f | %.0f MB | %.1f |"
            % (PAPERS[row["paper"]], row["action"], SIZES[row["size"]], row["size"].replace("x", "×"), row["seconds"],
               1e6 * row["seconds"] / row["processed"], row["memory_mb"], 1e3 * row["memory_mb"] / row["pixels"])
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
