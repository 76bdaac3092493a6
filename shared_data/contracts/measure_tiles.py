"""Memory and time of one prediction of a scene of Houston's size, whole or in tiles; one case per process.

python -m contracts.measure_tiles PAPER CONFIGURATION TILE [FILE]
    TILE 0 is the whole scene at once; FILE (.npy) takes the classes, so that two cases can be compared

Prints the peak of resident memory, which counts pages of files that the system can drop, the peak of anonymous memory,
which it cannot, and the seconds, by the clock and of the processor (other processes lengthen the former). The scene is
random; in tiles it lies in a memory-mapped file.
"""

import importlib
import mmap
import sys
import threading
import time

import numpy as np
import torch

from shared_data.preprocessing.standardise import padded_shape
from shared_data.runs import environment
from shared_data.scenes.mapped import temporary_array

SHAPE, CLASSES = (349, 1905, 144), 15
SAMPLED_EVERY = 0.005  # seconds


def anonymous_memory_mb() -> float:
    """Anonymous resident memory of this process (no file behind it), in 10^6 bytes."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:")) * 1024 / 1e6


class PeakOfAnonymousMemory(threading.Thread):
    """The largest value seen within a `with` block."""

    def __enter__(self) -> "PeakOfAnonymousMemory":
        self.value, self.ended = 0.0, threading.Event()
        self.start()
        return self

    def run(self) -> None:
        while not self.ended.wait(SAMPLED_EVERY):
            self.value = max(self.value, anonymous_memory_mb())

    def __exit__(self, *_error) -> None:
        self.ended.set()
        self.join()


def random_scene(mapped: bool) -> np.ndarray:
    """(B, H', W') standard normal numbers."""
    shape, random = padded_shape(SHAPE, 16), np.random.default_rng(0)
    scene = temporary_array(shape, np.dtype(np.float32)) if mapped else np.empty(shape, np.float32)
    for band in scene:
        random.standard_normal(dtype=np.float32, out=band)
        if mapped:
            scene.base.madvise(mmap.MADV_DONTNEED)
    return scene


def main(paper: str, configuration: str, side: str, kept: str = "") -> None:
    subject, tile = importlib.import_module(paper + ".bench").SUBJECT, int(side)
    predict_scene = importlib.import_module(paper + ".predict").predict_scene
    predict_tiled = importlib.import_module(paper + ".tiles").predict_tiled
    torch.manual_seed(0)
    network = subject.ours(dict(subject.network_of(configuration), in_channels=SHAPE[2], num_classes=CLASSES))
    scene = random_scene(mapped=tile > 0)
    with PeakOfAnonymousMemory() as anonymous:
        start, processor_start = time.perf_counter(), time.process_time()
        if tile:
            classes = predict_tiled(network, scene, *SHAPE[:2], tile)
        else:
            classes = predict_scene(network, torch.from_numpy(scene)[None], *SHAPE[:2])
        seconds, processor = time.perf_counter() - start, time.process_time() - processor_start
    if kept:
        np.save(kept, classes)
    print(
        "%s %s, tile %d, threads %d: peak %.0f MB, anonymous %.0f MB, %.1f s, processor %.1f s"
        % (paper, configuration, tile, torch.get_num_threads(), environment.peak_memory_mb(), anonymous.value, seconds,
           processor)
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
