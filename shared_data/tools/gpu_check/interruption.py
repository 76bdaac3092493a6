"""Runs on the device that are killed and resumed, against the same runs left alone: the same results are required."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, Iterator, List

import numpy as np
import torch

from shared_data.records.record import read_record
from tools.gpu_check.rows import Row

CHECK = Path(__file__).with_name("check.py")
SEED = "1"
# slug: package and options of a run with several checkpoints that lasts some seconds
RUNS = {
    "ssdgl": ("ssdgl", ("--iters", "40", "--set", "minibatch.images=4")),
    "rssgl": ("rssgl", ("--iters", "24", "--set", "minibatch.images=4", "--set", "model.params.kernel=[1, 1, 1]")),
    "a2s2k": ("a2s2k_resnet", ("--set", "train.epochs=8", "--set", "split.held_out=0.98")),
}
QUICK = ("ssdgl",)
CHECKPOINTS = 2  # that a run has saved when it is killed


def rows(device: torch.device, quick: bool) -> Iterator[Row]:
    """One row for each paper. Its runs are made side by side, because most of their time is that of imports."""
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as scratch:
        slugs = QUICK if quick else tuple(RUNS)
        folders = {slug: (Path(scratch) / slug / "whole", Path(scratch) / slug / "killed") for slug in slugs}
        whole = {slug: _start(slug, device, pair[0]) for slug, pair in folders.items()}
        begun = {slug: _start(slug, device, pair[1]) for slug, pair in folders.items()}
        killed = _kill(begun, {slug: _run_folder(slug, pair[1]) / "log.txt" for slug, pair in folders.items()})
        resumed = {slug: _start(slug, device, pair[1]) for slug, pair in folders.items()}
        for slug, pair in folders.items():
            errors = [process.communicate()[1] for process in (whole[slug], resumed[slug])]
            yield _row(slug, killed[slug], errors, *(_run_folder(slug, out) for out in pair))


def _start(slug: str, device: torch.device, out: Path) -> "subprocess.Popen[bytes]":
    package, options = RUNS[slug]
    words = [sys.executable, str(CHECK), "--deterministic-run", package, "reproduce", "synthetic", "--seed", SEED]
    words += ["--device", str(device), "--out", str(out), *options]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _run_folder(slug: str, out: Path) -> Path:
    return out / slug / "synthetic" / "paper" / ("seed-" + SEED)


def _kill(processes: Dict[str, "subprocess.Popen[bytes]"], logs: Dict[str, Path]) -> Dict[str, bool]:
    """Send SIGKILL to every run as soon as it has saved some checkpoints; whether it was still running then."""
    while any(process.poll() is None for process in processes.values()):
        for slug, process in processes.items():
            log = logs[slug]
            if log.exists() and log.read_text(encoding="utf-8").count(" saved\n") >= CHECKPOINTS:
                process.kill()
        time.sleep(0.01)
    return {slug: process.returncode == -signal.SIGKILL for slug, process in processes.items()}


def _row(slug: str, killed: bool, errors: List[bytes], whole: Path, resumed: Path) -> Row:
    """Compare the records and maps of two folders."""
    subject = slug + ", killed and resumed"
    for folder, error in zip((whole, resumed), errors):
        if not (folder / "run.json").is_file():
            return Row(subject, "a run left no record: " + error.decode(errors="replace")[-200:].strip(), {}, False)
    records = [read_record(folder / "run.json") for folder in (whole, resumed)]
    maps = [np.load(str(folder / "prediction.npy")) for folder in (whole, resumed)]
    equal = np.array_equal(*maps) and all(records[0][key] == records[1][key] for key in ("metrics", "weights"))
    again = "resumed from" in (resumed / "log.txt").read_text(encoding="utf-8")
    text = "%s; %s; %s: OA %.4f and %.4f, %d pixels of the maps differ" % (
        "killed in training" if killed else "had ended before it was killed",
        "resumed from a checkpoint" if again else "NOT resumed",
        "the same weights, metrics and map" if equal else "OTHER RESULTS",
        records[0]["metrics"]["oa"], records[1]["metrics"]["oa"], int((maps[0] != maps[1]).sum()),
    )  # fmt: skip
    return Row(subject, text, {"equal": equal, "killed": killed, "resumed": again}, equal and killed and again)
