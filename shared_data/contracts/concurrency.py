"""Concurrent runs: a second process on the same directory, and sixteen runs that start at once."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from contracts.faults import note
from contracts.interruption import command, result_of, run_folder
from contracts.marks import LONG
from shared_data.runs.directory import RunDirectory

HOLDER = """
import sys, time
from pathlib import Path
from shared_data.runs.directory import take_lock
lock = take_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""
AT_ONCE = 16
CHEAP = ("a2s2k", "apdclnn")  # fast runs; APDCLNN's seeds share a file of features


def refused(code, stderr, folder, pid):
    sentences = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert code == 1 and len(sentences) == 1 and "Traceback" not in stderr, stderr
    for part in (str(folder), "in use by process %d on %s" % (pid, socket.gethostname()), "OUT="):
        assert part in sentences[0], stderr


def start(words, **options):
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, universal_newlines=True, **options)


def wait_for(path, process):
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)


def short_run(paper, out, seed):
    return [sys.executable, "-m", paper.package, "reproduce", "synthetic", "--device", "cpu", "--out", str(out),
            "--seed", str(seed), *paper.short]  # fmt: skip


@pytest.mark.stack_independent
class Concurrency:
    """Processes on the same run directory, or in the same results folder; for the fixture `paper`."""

    def test_another_process_keeps_the_directory_until_it_is_killed(self, paper, tmp_path, capfd):
        words = ["reproduce", "synthetic", "--device", "cpu", "--out", str(tmp_path), *paper.short]
        folder = run_folder(paper, tmp_path)
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE)
        try:
            assert holder.stdout.readline() == b"held\n"
            refused(paper.main(words), capfd.readouterr().err, folder, holder.pid)
            assert [path.name for path in folder.iterdir()] == [".lock"]
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()
        assert str(holder.pid) in (folder / ".lock").read_text()  # the lock file exists, but no process holds it
        half_written = folder / "checkpoints" / ".epoch-1.ab12cd_3.pth"
        half_written.parent.mkdir()
        half_written.write_bytes(b"PK")
        with RunDirectory(folder, {}) as directory:
            directory.begin()
            assert not half_written.exists()
        assert str(os.getpid()) in (folder / ".lock").read_text()

    @LONG
    def test_two_processes_on_one_directory(self, paper, tmp_path):
        """The second process is refused at once, the first finishes undisturbed; a killed process leaves no lock."""
        assert start(command(paper, tmp_path / "alone"), stderr=subprocess.DEVNULL).wait(timeout=600) == 0
        out = tmp_path / "shared"
        folder = run_folder(paper, out)
        killed = start(command(paper, out), stderr=subprocess.DEVNULL)
        wait_for(folder / "log.txt", killed)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL

        lines = (folder / "log.txt").stat().st_size
        first = start(command(paper, out), stderr=subprocess.DEVNULL)
        while (folder / "log.txt").stat().st_size == lines and first.poll() is None:
            time.sleep(0.01)
        first.send_signal(signal.SIGSTOP)  # it must not finish while the second one starts
        try:
            for _ in range(2):
                second = start(command(paper, out), stderr=subprocess.PIPE)
                _, stderr = second.communicate(timeout=600)
                refused(second.returncode, stderr, folder, first.pid)
        finally:
            first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=600) == 0
        assert result_of(paper, out) == result_of(paper, tmp_path / "alone")
        outcome = "refused, named the first, which ended with the same bits"
        note("second process on a run directory", paper.slug, 2, outcome)
        note("directory of a killed process", paper.slug, 1, "taken over")

    @LONG
    def test_sixteen_seeds_at_once(self, paper, tmp_path):
        """Each ends with the same record as a run by itself; two of them are compared."""
        if paper.slug not in CHEAP:
            pytest.skip("sixteen of these at once are too much for a test")
        seeds = [paper.default_seed + number for number in range(AT_ONCE)]
        compared = [paper._replace(default_seed=seed) for seed in (seeds[0], seeds[-1])]
        for one in compared:
            words = short_run(paper, tmp_path / "alone", one.default_seed)
            assert start(words, stderr=subprocess.DEVNULL).wait(timeout=600) == 0
        together = tmp_path / "together"
        processes = [start(short_run(paper, together, seed), stderr=subprocess.PIPE) for seed in seeds]
        for process in processes:
            _, stderr = process.communicate(timeout=600)
            assert process.returncode == 0 and "Traceback" not in stderr, stderr
        for one in compared:
            assert result_of(one, together) == result_of(one, tmp_path / "alone")
        assert not [path for path in together.rglob(".*") if path.name != ".lock"]
        note("seeds started at once", paper.slug, AT_ONCE, "all finished, two compared: same bits as alone")
