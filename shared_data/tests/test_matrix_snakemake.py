"""Snakemake carries out a matrix of a stub paper: failures, kills, signals, stale runs, profiles."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from contracts.faults import note
from contracts.marks import LONG
from shared_data.records.record import read_record
from tools.matrix.engine import take_matrix

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON = Path(os.environ.get("HSI_MATRIX_PYTHON", str(ROOT / ".venvs" / "matrix" / "bin" / "python")))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stack_independent,
    pytest.mark.skipif(not PYTHON.exists(), reason="no environment with Snakemake: make env-matrix"),
]


class Matrix:
    """Invocations of one matrix of the stub paper: three seeds, two at once, in tmp_path/results."""

    def __init__(self, folder, record, step_s="0"):
        self.out = folder / "results"
        self.out.mkdir()
        (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
        self.environment = dict(
            os.environ,
            STUB_RECORD=str(folder / "record.json"),
            STUB_STEP_S=step_s,
            PYTHONPATH=os.pathsep.join([str(HERE), str(HERE.parent)]),
        )

    def words(self, *further):
        paper = "ssdgl=matrix_stub_paper:no_sources"
        return [str(PYTHON), "-m", "tools.matrix", "--paper", paper, "--interpreter", str(PYTHON), "--records",
                "--scenes", "synthetic", "--protocols", "paper", "--seeds", "1", "2", "3", "--jobs", "2", "--out",
                str(self.out), *further]  # fmt: skip

    def __call__(self, *further):
        """Run to the end: exit code and all output."""
        return self.finish(self.start(self.words(*further)))

    def start(self, words):
        return subprocess.Popen(
            words, cwd=str(ROOT), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True,
        )  # fmt: skip

    def finish(self, process):
        output = process.communicate(timeout=300)[0]
        return process.returncode, output

    def folder(self, seed):
        return self.out / "ssdgl" / "synthetic" / "paper" / ("seed-%d" % seed)

    def finished(self):
        """Per seed that has one, its record as the file that it is: a new one would be another inode."""
        records = {seed: self.folder(seed) / "run.json" for seed in (1, 2, 3)}
        return {seed: (path.stat().st_ino, path.read_bytes()) for seed, path in records.items() if path.exists()}

    def steps(self):
        """Steps that were done, in order, per seed."""
        done = {}
        path = self.out / "steps.txt"
        for line in path.read_text().splitlines() if path.exists() else []:
            name, step = line.split()
            done.setdefault(int(name[-1]), []).append(int(step))
        return done

    def wait_for_steps(self, number):
        deadline = time.time() + 120
        while sum(map(len, self.steps().values())) < number:
            assert time.time() < deadline, "no run began"
            time.sleep(0.02)

    def wait_for_runs(self, number):
        """Until so many runs have done a step."""
        deadline = time.time() + 120
        while len(self.steps()) < number:
            assert time.time() < deadline, "too few runs began"
            time.sleep(0.02)

    def log(self, seed):
        return (self.out / ".matrix/logs/ssdgl/synthetic/paper" / ("seed-%d.log" % seed)).read_text()


@pytest.fixture
def finished_record(record):
    """What the stub writes: made from the commit that is checked out."""
    try:
        commit = subprocess.check_output(["git", "-C", str(ROOT), "rev-parse", "HEAD"], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        commit = b""
    record["revision"] = {"git": commit.decode().strip() or None, "dirty": False}
    return record


@pytest.fixture
def matrix(tmp_path, finished_record):
    return Matrix(tmp_path, finished_record)


@pytest.fixture
def slow(tmp_path, finished_record):
    """Its runs take seconds, so that something can happen to them."""
    return Matrix(tmp_path, finished_record, step_s="0.4")


ALL_STEPS = {seed: [1, 2, 3, 4, 5] for seed in (1, 2, 3)}


def test_a_failing_run_stops_no_other_shows_its_last_lines_once_and_resumes(matrix):
    (matrix.out / "fail").write_text("2 3\n")
    code, output = matrix()
    assert code == 1
    before = matrix.finished()
    assert set(before) == {1, 3}
    assert matrix.log(2).count("line 29 of what went wrong") == 3  # attempts
    assert output.count("line 29 of what went wrong") == 1
    assert "line 9 of what went wrong" not in output
    assert "2 attempts are left" in output and "ended with code 3" in output
    assert matrix.steps() == {1: ALL_STEPS[1], 2: [1, 2, 3], 3: ALL_STEPS[3]}

    (matrix.out / "fail").unlink()
    code, output = matrix()
    assert code == 0, output
    assert "3 runs: 2 done, 0 missing, 1 unfinished" in output
    assert matrix.steps() == ALL_STEPS
    assert before.items() <= matrix.finished().items()

    code, output = matrix()
    assert code == 0 and "nothing to run" in output


@LONG
def test_after_kill_9_nothing_is_run_twice(slow):
    """The matrix and Snakemake are killed; what they started goes on, and the next matrix waits for it."""
    process = slow.start(slow.words())
    slow.wait_for_steps(2)
    kill_with_snakemake(process)
    code, output = slow()
    assert code == 0, output
    assert "running" in output
    assert slow.steps() == ALL_STEPS


@LONG
def test_a_record_survives_snakemake_that_believes_it_incomplete(slow):
    process = slow.start(slow.words())
    slow.wait_for_steps(2)
    kill_with_snakemake(process)
    deadline = time.time() + 120
    while len(slow.finished()) < 2 and time.time() < deadline:
        time.sleep(0.1)
    before = slow.finished()
    assert len(before) == 2
    # the plan would leave these two out; Snakemake alone finds them marked as incomplete
    (plan,) = (slow.out / ".matrix").glob("plan-*.json")
    code, output = slow.finish(slow.start([
        str(PYTHON), "-m", "snakemake", "--snakefile", str(HERE.parent / "tools/matrix/Snakefile"), "--profile",
        str(HERE.parent / "matrix/profiles/local"), "--cores", "2", "--directory", str(slow.out / ".matrix"),
        "--config", "plan=%s" % plan,
    ]))  # fmt: skip
    assert code == 0, output
    assert before.items() <= slow.finished().items() and len(slow.finished()) == 3
    assert slow.steps() == ALL_STEPS
    for seed in before:
        assert slow.log(seed).count("finished already") == 1


def kill_with_snakemake(process):
    children = subprocess.check_output(["ps", "-o", "pid=", "--ppid", str(process.pid)]).split()
    assert len(children) == 1
    for number in [process.pid] + [int(child) for child in children]:
        os.kill(number, signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=LONG)])
def test_a_signal_stops_a_matrix_in_the_background_and_starts_nothing_again(slow, number):
    """Started as a script starts it, with nohup and &: SIGINT is ignored there, unless somebody handles it."""
    process = slow.start(["sh", "-c", 'nohup nice "$@" & echo $!; wait $!', "sh"] + slow.words())
    planner = int(process.stdout.readline())
    slow.wait_for_runs(2)
    start = time.time()
    os.kill(planner, number)
    code, output = slow.finish(process)
    assert code == 1, output
    assert time.time() - start < 60
    assert "stopped by a signal; the same command resumes it" in output
    assert "Trying to restart" not in output
    stopped = slow.steps()
    assert len(stopped) == 2 and sum(map(len, stopped.values())) < 10  # stopped early; the third did not begin
    for seed in stopped:
        assert slow.log(seed).count("$ ") == 1  # attempts
    code, output = slow()
    assert code == 0, output
    assert "2 unfinished" in output
    assert slow.steps() == ALL_STEPS


def test_nothing_is_started_any_more_when_the_planner_is_killed(slow):
    """The two runs at work end by themselves, here with a failure; neither they nor the third one are started."""
    (slow.out / "fail").write_text("1 4\n2 4\n3 4\n")
    process = slow.start(slow.words())
    slow.wait_for_runs(2)
    process.kill()
    output = slow.finish(process)[1]  # the pipe is closed by Snakemake, which ends after the runs
    assert "Trying to restart" not in output
    assert list(slow.steps().values()) == [[1, 2, 3, 4]] * 2


def test_only_one_matrix_at_a_time_in_a_results_folder(matrix):
    lock = take_matrix(matrix.out)
    code, output = matrix()
    lock.close()
    assert code == 1 and "has a matrix at work already" in output


@LONG
def test_stale_runs_are_kept_and_started_over_once_where_asked(matrix):
    assert matrix()[0] == 0
    before = matrix.finished()
    code, output = matrix("--iters", "4")
    assert code == 0
    assert "3 stale" in output and "train.num_iters 4, was 5" in output and "STALE=redo" in output
    assert "nothing to run" in output and matrix.finished() == before

    (matrix.out / "steps.txt").unlink()
    (matrix.out / "fail").write_text("2 3\n")
    code, output = matrix("--iters", "4", "--stale", "redo")
    assert code == 1
    # three attempts, of which the first alone started over
    assert matrix.steps() == {1: [1, 2, 3, 4], 2: [1, 2, 3], 3: [1, 2, 3, 4]}
    assert not (matrix.folder(2) / "run.json").exists()  # what failed does not look finished
    (matrix.out / "fail").unlink()
    code, output = matrix("--iters", "4")
    assert code == 0, output
    assert matrix.steps() == {seed: [1, 2, 3, 4] for seed in (1, 2, 3)}
    for seed in (1, 2, 3):
        assert read_record(matrix.folder(seed) / "run.json")["config"]["train"]["num_iters"] == 4
        assert sorted(path.name for path in matrix.folder(seed).iterdir() if path.name != ".lock") == [
            "checkpoint", "run.json", "settings.json",
        ]  # fmt: skip


@pytest.mark.parametrize(
    "profile, device",
    [
        ("slurm", "cuda"), ("kubernetes", "cpu"), pytest.param("slurm", "cpu", marks=LONG),
        pytest.param("kubernetes", "cuda", marks=LONG),
    ],
)  # fmt: skip
def test_a_dry_run_tells_the_plan_and_starts_nothing(matrix, profile, device):
    matrix.environment["SLURM_PARTITION"] = "short"
    code, output = matrix("--dry", "--profile", profile, "--device", device)
    assert code == 0, output
    assert "3 runs: 0 done, 3 missing" in output and "This was a dry-run" in output
    assert not (matrix.out / "ssdgl").exists()
    (plan,) = (matrix.out / ".matrix").glob("plan-*.json")
    resources = json.loads(plan.read_text())["resources"]
    assert resources.get("gpu") == (1 if device == "cuda" else None)
    assert resources.get("slurm_partition") == ("short" if profile == "slurm" else None)


@LONG
def test_two_real_runs_are_stopped_and_resumed(tmp_path):
    if not (ROOT / ".venvs/a2s2k-modern/.ready").exists():
        pytest.skip("no environment of a2s2k")
    words = [str(PYTHON), "-m", "tools.matrix", "--paper", "a2s2k=a2s2k_resnet:shared_data,a2s2k_resnet",
             "--scenes", "synthetic", "--protocols", "paper", "--seeds", "1", "2", "--set", "train.epochs=6",
             "--device", "cpu", "--jobs", "2", "--out", str(tmp_path)]  # fmt: skip
    process = subprocess.Popen(words, cwd=str(ROOT))
    checkpoints, deadline = "a2s2k/synthetic/paper/seed-*/checkpoints/epoch-*", time.time() + 600
    while not list(tmp_path.glob(checkpoints)) and time.time() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 1
    assert subprocess.call(words, cwd=str(ROOT)) == 0
    for seed in (1, 2):
        folder = tmp_path / "a2s2k/synthetic/paper" / ("seed-%d" % seed)
        assert read_record(folder / "run.json")["config"]["train"]["epochs"] == 6
    logs = [path.read_text() for path in tmp_path.glob("a2s2k/synthetic/paper/seed-*/log.txt")]
    assert any("resumed from" in log for log in logs)
    note("a matrix stopped by a signal", "shared_data", 1, "its two runs resume and finish")
