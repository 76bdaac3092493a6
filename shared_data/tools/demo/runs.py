"""The runs of the demo: every paper under three protocols, with fewer optimizer steps than its configuration has.

Two papers train at a time, each in its own environment, where one process makes the paper's runs: a process needs
several seconds to load a framework.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from shared_data.errors import SharedDataError
from shared_data.files.npz import read_npy
from shared_data.records.record import read_record
from shared_data.runs.environment import usable_cores
from shared_data.splits.draws import Split, load_split

SCENE = "synthetic"
PROTOCOLS = ("released", "paper", "spatial-cv")
FOLD = 0  # of spatial-cv: five folds would take five times as long
WITHOUT_RELEASE = ("apdclnn",)
# optimizer steps after which each method is clearly better than chance; the longest runs first. Before its sixth epoch,
# step 294, the running means of DA-IMRN's normalisation are not yet those of its training
STEPS = {"da-imrn": 300, "rssgl": 60, "ssdgl": 100, "apdclnn": 150, "a2s2k": 110}

_INTERPRETER = ".venvs/%s-modern/bin/python"
_AT_A_TIME = 2
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


class Finished(NamedTuple):
    """A finished run of the demo. prediction: (H, W) uint8 classes 1..K."""

    paper: str
    protocol: str
    record: Dict[str, Any]
    split: Split
    prediction: np.ndarray


class Failed(SharedDataError):
    """A run of the demo ended with an error, which it has told."""


def run_all(papers: Dict[str, str], device: str, out: Path, verbose: bool) -> List[Finished]:
    """Train from the beginning; a line on the console tells of each run. papers: package by slug.

    Raises: Failed; RecordError where a run left no record.
    """
    lanes = 1 if verbose else min(_AT_A_TIME, usable_cores())  # logs of two papers could not be told apart
    threads = str(max(usable_cores() // lanes, 1))
    environment = dict(dict.fromkeys(_THREADS, threads), **os.environ)

    def run(paper: str) -> List[Finished]:
        _train(paper, papers[paper], ["--device", device, "--out", str(out)], verbose, environment)
        return [_read(paper, protocol, out) for protocol in protocols_of(paper)]

    with ThreadPoolExecutor(lanes) as pool:
        finished = pool.map(run, sorted(papers, key=list(STEPS).index))
        return [each for of_paper in finished for each in of_paper]


def protocols_of(paper: str) -> Tuple[str, ...]:
    """Those of a paper, in the order of their runs."""
    return tuple(name for name in PROTOCOLS if name != "released" or paper not in WITHOUT_RELEASE)


def words_of(paper: str, protocol: str, options: List[str]) -> List[str]:
    """The words that follow `python -m <package>` in a run."""
    fold = ["--fold", str(FOLD)] if protocol == "spatial-cv" else []
    limit = ["--iters", str(STEPS[paper])]
    return ["reproduce", SCENE, "--protocol", protocol, *fold, *limit, "--force", *options]


def _train(paper: str, package: str, options: List[str], verbose: bool, environment: Dict[str, str]) -> None:
    """The runs of a paper, in a process whose lines are passed on."""
    words = [os.path.abspath(_INTERPRETER % paper), "-m", "tools.demo.one_paper", paper, package, *options]
    words += ["--verbose"] if verbose else []
    try:
        process = subprocess.Popen(
            words,
            stdout=None if verbose else subprocess.DEVNULL,
            stderr=subprocess.PIPE,  # not a terminal, on which a process would write over the lines of another one
            env=environment,
            universal_newlines=True,
        )
    except OSError as error:
        raise Failed("%s cannot be started (%s); make demo makes its environment first." % (words[0], error)) from error
    with process:
        assert process.stderr is not None  # it is a pipe
        for line in process.stderr:
            print(line, end="", file=sys.stderr, flush=True)
    if process.returncode:
        raise Failed("a run of %s failed with code %d." % (paper, process.returncode))


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
