"""Nothing is lost when a run is killed, and nothing is run twice."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from shared_data.records import read_record


def command(paper, out):
    return [sys.executable, "-m", paper.package, "reproduce", "synthetic", "--device", "cpu", "--out", str(out),
            *paper.epochs]  # fmt: skip


def run_folder(paper, out):
    return out / paper.slug / "synthetic" / "paper" / ("seed-%d" % paper.default_seed)


def run_and_kill(paper, out, number):
    """Start a run, send the signal some time after an early checkpoint; return the exit code."""
    process = subprocess.Popen(command(paper, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = run_folder(paper, out) / "log.txt"
    deadline = time.time() + 600  # a busy machine may take minutes to load a framework
    while time.time() < deadline and process.poll() is None:
        if log.exists() and paper.checkpoint_marker in log.read_text():
            break
        time.sleep(0.01)
    time.sleep(random.random() * 0.3)  # an arbitrary moment: in a step, an evaluation or a checkpoint
    process.send_signal(number)
    return process.wait(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_resumes_to_the_same_bits(paper, tmp_path, number):
    subprocess.run(command(paper, tmp_path / "whole"), check=True, stdout=subprocess.DEVNULL)
    code = run_and_kill(paper, tmp_path / "killed", number)
    unfinished = run_folder(paper, tmp_path / "killed")
    assert code == (-9 if number == signal.SIGKILL else 143)
    assert not (unfinished / "run.json").exists()

    subprocess.run(command(paper, tmp_path / "killed"), check=True, stdout=subprocess.DEVNULL)
    results = []
    for name in ("whole", "killed"):
        folder = run_folder(paper, tmp_path / name)
        record = read_record(folder / "run.json")
        prediction = np.load(str(folder / "prediction.npy")).tobytes()
        results.append((record["metrics"], record["selection"], record["history"], prediction))
    assert results[0] == results[1]
    assert "resumed from" in (unfinished / "log.txt").read_text()


def test_a_finished_run_is_reported_and_not_run_again(paper, tmp_path, capsys):
    words = ["reproduce", "synthetic", "--device", "cpu", "--out", str(tmp_path), *paper.short]
    assert paper.main(words) == 0
    record = run_folder(paper, tmp_path) / "run.json"
    written = record.stat().st_mtime_ns
    assert paper.main(words) == 0
    assert record.stat().st_mtime_ns == written
    assert "is finished already" in capsys.readouterr().out
