"""Nothing is lost when a run is killed, and nothing is run twice."""

import random
import signal
import subprocess
import sys
import time

import numpy as np

from shared_data.records import read_record


def command(paper, out):
    return [sys.executable, "-m", paper.package, "reproduce", "synthetic", "--device", "cpu", "--out", str(out),
            *paper.epochs]  # fmt: skip


def run_folder(paper, out):
    return out / paper.slug / "synthetic" / "paper" / ("seed-%d" % paper.default_seed)


def checkpoints_saved(log):
    return log.read_text(encoding="utf-8").count(" saved\n") if log.exists() else 0


def run_and_kill(paper, out, number, checkpoints):
    """Start a run, send the signal some time after it has saved so many checkpoints; return the exit code."""
    process = subprocess.Popen(command(paper, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = run_folder(paper, out) / "log.txt"
    wanted = checkpoints_saved(log) + checkpoints
    deadline = time.time() + 600  # a busy machine may take minutes to load a framework
    while time.time() < deadline and process.poll() is None and checkpoints_saved(log) < wanted:
        time.sleep(0.01)
    time.sleep(random.random() * 0.3)  # an arbitrary moment: in a step, an evaluation or a checkpoint
    process.send_signal(number)
    return process.wait(timeout=60)


def test_a_run_killed_and_stopped_ends_with_the_same_bits(paper, tmp_path):
    subprocess.run(command(paper, tmp_path / "whole"), check=True, stdout=subprocess.DEVNULL)
    interrupted = tmp_path / "interrupted"
    unfinished = run_folder(paper, interrupted)
    assert run_and_kill(paper, interrupted, signal.SIGKILL, checkpoints=2) == -9
    assert not (unfinished / "run.json").exists()
    # 143: stopped after a step. -15: training had just ended, and the map was being made
    assert run_and_kill(paper, interrupted, signal.SIGTERM, checkpoints=1) in (143, -15)
    assert not (unfinished / "run.json").exists()

    subprocess.run(command(paper, interrupted), check=True, stdout=subprocess.DEVNULL)
    results = []
    for out in (tmp_path / "whole", interrupted):
        folder = run_folder(paper, out)
        record = read_record(folder / "run.json")
        prediction = np.load(str(folder / "prediction.npy")).tobytes()
        results.append((record["metrics"], record["selection"], record["history"], prediction))
    assert results[0] == results[1]
    assert (unfinished / "log.txt").read_text(encoding="utf-8").count("resumed from") == 2


def test_a_finished_run_is_reported_and_not_run_again(paper, tmp_path, capsys):
    words = ["reproduce", "synthetic", "--device", "cpu", "--out", str(tmp_path), *paper.short]
    assert paper.main(words) == 0
    record = run_folder(paper, tmp_path) / "run.json"
    written = record.stat().st_mtime_ns
    assert paper.main(words) == 0
    assert record.stat().st_mtime_ns == written
    assert "is finished already" in capsys.readouterr().out
