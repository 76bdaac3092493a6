"""The runs of the demo: every paper under three protocols, with fewer optimizer steps than its configuration has."""

import os
import subprocess
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from shared_data.errors import SharedDataError
from shared_data.files.npz import read_npy
from shared_data.records.record import read_record
from shared_data.splits.draws import Split, load_split

SCENE = "synthetic"
PROTOCOLS = ("released", "paper", "spatial-cv")
FOLD = 0  # of spatial-cv: five folds would take five times as long
WITHOUT_RELEASE = ("apdclnn",)
# optimizer steps after which each method is clearly better than chance, in seconds
STEPS = {"ssdgl": 100, "rssgl": 60, "a2s2k": 110, "da-imrn": 150, "apdclnn": 150}

_INTERPRETER = ".venvs/%s-modern/bin/python"


class Finished(NamedTuple):
    """A finished run of the demo. prediction: (H, W) uint8 classes 1..K."""

    paper: str
    protocol: str
    record: Dict[str, Any]
    split: Split
    prediction: np.ndarray


class Failed(SharedDataError):
    """A run of the demo ended with an error, which it has told."""


def run(paper: str, package: str, protocol: str, device: str, out: Path, verbose: bool) -> Optional[Finished]:
    """Train from the beginning, in the paper's own environment; its progress is the one line on the console.

    None where the paper has no such protocol.
    Raises: Failed; RecordError where the run left no record.
    """
    if protocol == "released" and paper in WITHOUT_RELEASE:
        return None
    words = [os.path.abspath(_INTERPRETER % paper), "-m", package, "reproduce", SCENE, "--protocol", protocol]
    words += ["--iters", str(STEPS[paper]), "--device", device, "--out", str(out), "--force"]
    words += ["--fold", str(FOLD)] if protocol == "spatial-cv" else []
    words += ["--verbose"] if verbose else []
    try:
        done = subprocess.run(words, stdout=None if verbose else subprocess.PIPE)
    except OSError as error:
        raise Failed("%s cannot be started (%s); make demo makes its environment first." % (words[0], error)) from error
    if done.returncode:
        raise Failed("the run of %s under %s failed with code %d." % (paper, protocol, done.returncode))
    return _read(paper, protocol, out)


def _read(paper: str, protocol: str, out: Path) -> Finished:
    folders = sorted((out / paper / SCENE / protocol).glob("**/run.json"), key=lambda path: path.stat().st_mtime)
    if not folders:
        raise Failed("the run of %s under %s left no record in %s." % (paper, protocol, out))
    folder = folders[-1].parent
    record = read_record(folder / "run.json")
    height, width = np.load(str(folder / "prediction.npy"), allow_pickle=False).shape
    prediction = read_npy(folder / "prediction.npy", (height, width))
    return Finished(paper, protocol, record, load_split(folder / "split.npz", height * width), prediction)


def limits(papers: List[str]) -> str:
    """The number of steps of each paper, in words."""
    return ", ".join("%s %d" % (paper, STEPS[paper]) for paper in papers)
