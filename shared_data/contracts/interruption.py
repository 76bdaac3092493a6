"""A killed run loses no finished work, and a finished run is not repeated."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from contracts.faults import note
from contracts.marks import LONG
from shared_data.records.record import read_record

MOMENTS = 20
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# possible exit codes: killed; stopped after a step; ended by SIGTERM or Ctrl-C when there is nothing to save
ENDS = {-signal.SIGKILL, 143, -signal.SIGTERM, 130, -signal.SIGINT}


def command(paper, out):
    return [sys.executable, "-m", paper.package, "reproduce", "synthetic", "--device", "cpu", "--out", str(out),
            *paper.epochs]  # fmt: skip


def run_folder(paper, out):
    return out / paper.slug / "synthetic" / "paper" / ("seed-%d" % paper.default_seed)


def checkpoints_saved(log):
    return log.read_text(encoding="utf-8").count(" saved\n") if log.exists() else 0


def run_and_kill(paper, out, number, checkpoints):
    """Start a run, send the signal shortly after it has saved this number of checkpoints; return the exit code."""
    process = subprocess.Popen(command(paper, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = run_folder(paper, out) / "log.txt"
    wanted = checkpoints_saved(log) + checkpoints
    deadline = time.time() + 600  # a busy machine may take minutes to load a framework
    while time.time() < deadline and process.poll() is None and checkpoints_saved(log) < wanted:
        time.sleep(0.01)
    time.sleep(random.random() * 0.3)  # an arbitrary moment: in a step, an evaluation or a checkpoint
    process.send_signal(number)
    return process.wait(timeout=60)


def life(paper, out, number=None, seconds=float("inf")):
    """Start the run, send the signal this number of seconds after training began; return the exit code and the
    seconds."""
    log = run_folder(paper, out) / "log.txt"

    def size():
        return log.stat().st_size if log.exists() else 0

    before = size()
    process = subprocess.Popen(command(paper, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while size() == before and process.poll() is None:
        time.sleep(0.01)
    begun = time.time()
    while process.poll() is None and time.time() - begun < seconds:
        time.sleep(0.01)
    if process.poll() is None:
        process.send_signal(number)
    return process.wait(timeout=600), time.time() - begun


def result_of(paper, out):
    """The results that must not depend on interruptions; None for an unfinished run."""
    folder = run_folder(paper, out)
    if not (folder / "run.json").exists():
        return None
    record = read_record(folder / "run.json")
    return (
        record["metrics"], record["selection"], record["history"], record["weights"],
        np.load(str(folder / "prediction.npy")).tobytes(),
    )  # fmt: skip


class Interruption:
    """Runs that are killed, stopped and repeated; for the fixture `paper`."""

    @pytest.mark.slow
    def test_a_run_killed_and_stopped_ends_with_the_same_bits(self, paper, tmp_path):
        subprocess.run(command(paper, tmp_path / "whole"), check=True, stdout=subprocess.DEVNULL)
        interrupted = tmp_path / "interrupted"
        unfinished = run_folder(paper, interrupted)
        assert run_and_kill(paper, interrupted, signal.SIGKILL, checkpoints=2) == -9
        assert not (unfinished / "run.json").exists()
        # 143: stopped after a step. -15: training had ended, and the map was being made
        assert run_and_kill(paper, interrupted, signal.SIGTERM, checkpoints=1) in (143, -15)
        assert not (unfinished / "run.json").exists()

        subprocess.run(command(paper, interrupted), check=True, stdout=subprocess.DEVNULL)
        whole = result_of(paper, tmp_path / "whole")
        assert whole is not None and whole == result_of(paper, interrupted)
        assert (unfinished / "log.txt").read_text(encoding="utf-8").count("resumed from") == 2

    @LONG
    def test_killed_at_many_moments_a_run_ends_with_the_same_bits(self, paper, tmp_path):
        """In a step, an evaluation, a checkpoint, a map or the record: over a third of a run's time."""
        code, seconds = life(paper, tmp_path / "whole")
        assert code == 0
        whole = result_of(paper, tmp_path / "whole")
        chance, ends, out = random.Random(paper.slug), Counter(), tmp_path / "0"
        for moment in range(MOMENTS):
            number = SIGNALS[moment % len(SIGNALS)]
            code, _ = life(paper, out, number, chance.uniform(0, seconds / 3))
            found = result_of(paper, out)
            if found is None:
                assert code in ENDS
                ends[number.name] += 1
            else:
                # the run ended before the signal, or got it between record and exit: start the next run
                assert found == whole
                ends["finished"] += 1
                out = tmp_path / str(moment + 1)
        assert life(paper, out)[0] == 0 and result_of(paper, out) == whole
        told = ", ".join("%s %d" % pair for pair in sorted(ends.items()))
        note("signals at random moments, resumed", paper.slug, MOMENTS, "same metrics, weights and map (%s)" % told)

    @pytest.mark.slow
    def test_a_finished_run_is_reported_and_not_run_again(self, paper, finished, capsys):
        record = run_folder(paper, finished.out) / "run.json"
        written = record.stat().st_mtime_ns
        assert paper.main(["reproduce", *finished.words]) == 0
        assert record.stat().st_mtime_ns == written
        assert "is finished already" in capsys.readouterr().out
