"""Scenes of Houston's size, and scenes larger than the memory they are given: what a paper's `test_scale.py` shares.

Each evaluation runs in a fresh process, whose peak counts. The test file is its program: it ends with

    if __name__ == "__main__":
        scale.main(evaluate)

where `evaluate(loaded, out, pixels)` prepares everything of the whole scene and classifies its first `pixels` pixels,
or the whole scene if `pixels` is 0. Long: HSI_FAULTS=1, `make faults`.
"""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, NamedTuple, Sequence, Tuple

import numpy as np

from contracts.faults import note
from shared_data.runs import environment
from shared_data.runs.request import Request
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import LoadedScene

HOUSTON_LIMIT_MB = 24 * 2**30 / 1e6  # limit of resident memory
SAME_MB = 150  # smaller differences of two peaks are noise: allocators keep freed memory
LARGE = (512, 2048, 256)  # float64: 2.1 GB in its file
ANONYMOUS_SHARE = 0.6  # of a mapped cube's bytes; the frameworks alone take 0.3 to 0.5 GB

_BLOCK = 20  # pixels, side of a block of one class
_LABELLED = 15029 / (349 * 1905)  # share of the pixels, as in Houston
_ROWS = 16  # generated at a time


class Measured(NamedTuple):
    """peak_mb: largest resident memory; anonymous_mb: the part without a file behind it, which the kernel cannot
    drop."""

    peak_mb: float
    anonymous_mb: float
    seconds: float


def request(experiment: str, out: Any, protocol: str, overrides: Sequence[str] = ()) -> Request:
    """A request for the CPU; the scene is handed to the run by the caller."""
    return Request(experiment=experiment, protocol=protocol, seed=1, data=None, unverified=False, device="cpu",
                   iterations=None, overrides=tuple(overrides), out=Path(out), force=False)  # fmt: skip


def mapped_copy(loaded: LoadedScene, folder: Path) -> LoadedScene:
    """The same scene with its cube in a .npy file, memory-mapped."""
    path = str(folder / "cube.npy")
    np.save(path, np.ascontiguousarray(loaded.cube))
    return loaded._replace(cube=np.load(path, mmap_mode="r"))


def check_houston(script: str, slug: str, out: Path, pixels: Sequence[int] = (0,)) -> None:
    """Evaluation at Houston's size stays under 24 GiB, for any number of classified pixels."""
    found = [_measure(script, "houston", out / str(count), count) for count in pixels]
    assert max(each.peak_mb for each in found) < HOUSTON_LIMIT_MB
    if len(found) > 1:
        assert abs(found[0].peak_mb - found[-1].peak_mb) < SAME_MB
    classified = "all pixels" if not pixels[-1] else "first %s pixels" % " and ".join(map(str, pixels))
    note("a scene of 349×1905×144 evaluated", slug, len(found), "peak %s MB, %s s (%s)" % (
        " and ".join("%.0f" % each.peak_mb for each in found), " and ".join("%.0f" % each.seconds for each in found),
        classified,
    ))  # fmt: skip


def check_mapped(script: str, slug: str, out: Path, pixels: int) -> None:
    """With a memory-mapped scene, anonymous memory stays far below the scene's size."""
    path = out / "large.npy"
    try:
        _write_large(path)
        megabytes = path.stat().st_size / 1e6
        found = _measure(script, str(path), out / "mapped", pixels)
    finally:
        path.unlink()
    assert found.anonymous_mb < ANONYMOUS_SHARE * megabytes
    note("a memory-mapped scene of %.1f GB" % (megabytes / 1e3), slug, 1, "at most %.0f MB in no file, %.0f s" % (
        found.anonymous_mb, found.seconds,
    ))  # fmt: skip


def main(evaluate: Callable[[LoadedScene, Path, int], Any]) -> None:
    """In the fresh process: generate or open the scene, evaluate it, print the measurements as JSON."""
    which, out, pixels = sys.argv[1:]
    loaded = houston_like() if which == "houston" else _opened(which)
    with _Anonymous() as anonymous:
        start = time.perf_counter()
        evaluate(loaded, Path(out), int(pixels))
        seconds = time.perf_counter() - start
    print(json.dumps([environment.peak_memory_mb(), anonymous.peak_mb, seconds]))


def _measure(script: str, which: str, out: Path, pixels: int) -> Measured:
    words = [sys.executable, script, which, str(out), str(pixels)]
    ended = subprocess.run(words, stdout=subprocess.PIPE, universal_newlines=True, check=True)
    return Measured(*json.loads(ended.stdout.strip().splitlines()[-1]))


# the scenes


def houston_like() -> LoadedScene:
    """349×1905 pixels, 144 bands, uint16 in MATLAB's memory order, 15 classes in blocks; no measured value is in it."""
    scene = get_scene("houston")
    classes = _classes(scene.height, scene.width)
    cube = np.empty((scene.height, scene.width, scene.bands), np.uint16, order="F")
    for rows, spectra in _generated(classes, scene.bands):
        cube[rows] = spectra
    return LoadedScene(scene, cube, _labels(classes), (), False)


def _write_large(path: Path) -> None:
    cube = np.lib.format.open_memmap(str(path), "w+", np.float64, LARGE)
    for rows, spectra in _generated(_classes(*LARGE[:2]), LARGE[2]):
        cube[rows] = spectra


def _opened(path: str) -> LoadedScene:
    scene = get_scene("houston")._replace(height=LARGE[0], width=LARGE[1], bands=LARGE[2])
    return LoadedScene(scene, np.load(path, mmap_mode="r"), _labels(_classes(*LARGE[:2])), (), False)


def _classes(height: int, width: int) -> np.ndarray:
    """(H, W) uint8 classes 1..15 in blocks, each class about as often."""
    blocks = -(-height // _BLOCK), -(-width // _BLOCK)
    drawn = np.random.RandomState(0).permutation(blocks[0] * blocks[1]) % get_scene("houston").num_classes + 1
    return drawn.reshape(blocks).repeat(_BLOCK, 0).repeat(_BLOCK, 1)[:height, :width].astype(np.uint8)


def _labels(classes: np.ndarray) -> np.ndarray:
    """The classes in some strips from top to bottom: about as many labels as Houston has."""
    labelled = np.zeros(classes.shape, bool)
    every = round(_BLOCK / 2 / _LABELLED)
    for start in range(_BLOCK // 4, classes.shape[1], every):
        labelled[:, start : start + _BLOCK // 2] = True
    return np.where(labelled, classes, 0).astype(np.uint8)


def _generated(classes: np.ndarray, bands: int) -> Iterator[Tuple[slice, np.ndarray]]:
    """Rows and their spectra (n, W, B): a smooth random spectrum for each class, brighter or darker, and noise."""
    random = np.random.RandomState(1)
    centres, widths = random.uniform(0, bands, (16, 6, 1)), random.uniform(bands / 12, bands / 3, (16, 6, 1))
    shapes = np.exp(-(((np.arange(bands) - centres) / widths) ** 2))
    spectra = (random.uniform(500, 3000, (16, 6, 1)) * shapes).sum(axis=1) + 200
    for start in range(0, len(classes), _ROWS):
        rows = slice(start, min(start + _ROWS, len(classes)))
        brightness = random.uniform(0.8, 1.2, classes[rows].shape + (1,))
        yield rows, spectra[classes[rows]] * brightness + random.uniform(0, 100, classes[rows].shape + (bands,))


class _Anonymous:
    """The peak of RssAnon within the block, in 10^6 bytes, by frequent sampling, because the kernel keeps no peak of
    it."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Anonymous":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.peak_mb = max(self.peak_mb, _status()["RssAnon"] * 1024 / 1e6)


def _status() -> Dict[str, int]:
    """The numbers of this process that the kernel counts in kB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) for name, value in pairs}
