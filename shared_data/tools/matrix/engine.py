"""Run the plan with Snakemake: one matrix at a time per results folder, stopped by one signal.

Snakemake's lock survives a killed process; ours is a lock of the operating system, released with its holder.
"""

import ctypes
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Sequence

from shared_data.errors import RunDirectoryError, SettingsError
from shared_data.files.atomic import write_text
from shared_data.files.locks import try_lock
from shared_data.runs.directory import take_lock
from tools.matrix.jobs import Job
from tools.matrix.plan import WORK, Planned, file_name
from tools.matrix.states import REDO, STALE

PROFILES = ("local", "slurm", "kubernetes")
PATIENCE_S = 300  # a run ends its step, and may be in an evaluation, before it saves its state
SAME_SIGNAL_S = 2.0
PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>
RECIPES = Path(__file__).resolve().parent  # Snakefile and profiles of the checkout


def set_aside(job: Job, out: Path, reasons: Sequence[str]) -> None:
    """Mark a stale run to be started over. Its record is renamed, so that the run does not look finished meanwhile."""
    folder = job.folder(out)
    lock = take_lock(folder)
    try:
        write_text(folder / REDO, "to be started over: %s\n" % "; ".join(reasons))
        if (folder / "run.json").exists():
            os.replace(str(folder / "run.json"), str(folder / "run.stale.json"))
    finally:
        lock.close()


def take_matrix(out: Path) -> Any:
    """The lock of a results folder's matrix. Raises: RunDirectoryError where another process has it."""
    path = out / WORK / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = open(str(path), "a")
        held = not try_lock(lock)
    except OSError as error:
        raise RunDirectoryError(
            "%s cannot be written (%s); choose another folder with OUT=." % (out, error.strerror)
        ) from error
    if held:
        lock.close()
        raise RunDirectoryError(
            "%s has a matrix at work already; wait for it, or choose another folder with OUT=." % out
        )
    return lock


def command(content: Dict[str, Any], out: Path, profile: str, jobs: int, cores: int, dry: bool) -> List[str]:
    """Write the plan and return the command of Snakemake that carries it out.

    jobs: runs at once; cores: of each run on this machine.
    """
    if profile not in PROFILES and not Path(profile).is_dir():
        raise SettingsError("unknown PROFILE '%s'; there are: %s, or a folder." % (profile, ", ".join(PROFILES)))
    plan = out / WORK / file_name(content)
    try:
        plan.parent.mkdir(parents=True, exist_ok=True)
        write_text(plan, json.dumps(content, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise RunDirectoryError("%s cannot be written (%s); choose another folder with OUT=." % (out, error)) from error
    words = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(RECIPES / "Snakefile"),
        "--directory",
        str(out / WORK),
    ]
    words += ["--profile", str(RECIPES / "profiles" / profile) if profile in PROFILES else profile]
    # pods exchange files with Snakemake through a folder of the shared volume
    words += ["--default-storage-prefix", str(out / WORK / "storage")] if profile == "kubernetes" else []
    words += ["--cores", str(jobs * cores)] if profile == "local" else ["--jobs", str(jobs)]
    words += _without_accounting() if profile == "slurm" else []
    # a dry run renames no stale records, so Snakemake would take these runs for finished
    words += ["--dry-run", "--forceall", "--quiet", "rules"] if dry else []
    return words + ["--config", "plan=%s" % plan]


def _without_accounting() -> List[str]:
    """Options for a cluster without an accounting database, where only squeue reports the state of a job."""
    try:
        asked = subprocess.run(["sacct", "-X", "--noheader"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        accounts = asked.returncode == 0
    except OSError:
        accounts = False
    return [] if accounts else ["--slurm-status-command", "squeue", "--slurm-no-account"]


def supervise(words: List[str], lock: Any, patience_s: int = PATIENCE_S) -> int:
    """Run Snakemake; its exit code, 128 and the number of the signal that ended it.

    SIGTERM, SIGINT and SIGHUP reach it and the runs of this machine as one SIGINT. Snakemake then starts nothing more
    and cancels the jobs of a cluster; here the runs save their state, and the same command resumes them. A second
    signal, or patience_s seconds, end them with SIGTERM; a third one, or as many seconds more, with SIGKILL.
    """
    stronger = iter((signal.SIGINT, signal.SIGTERM))
    started: List[subprocess.Popen] = []
    last = [-math.inf]

    def stop(number: int, _frame: Any) -> None:
        if not started:
            sys.exit(128 + number)
        # make forwards SIGTERM: a signal to the process group arrives twice, and counts once
        if number != signal.SIGALRM and time.monotonic() - last[0] < SAME_SIGNAL_S:
            return
        last[0] = time.monotonic()
        if started[0].poll() is None:
            os.killpg(started[0].pid, next(stronger, signal.SIGKILL))
            signal.alarm(patience_s)

    # Before the start: a signal that is handled here has its default action in the process that is started. A shell
    # without job control lets its background jobs ignore SIGINT; Snakemake would, and start the stopped runs again.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # else nohup started us
        signal.signal(signal.SIGHUP, stop)
    process = subprocess.Popen(words, start_new_session=True, pass_fds=(lock.fileno(),), preexec_fn=_end_with_parent)
    started.append(process)
    code = process.wait()
    signal.alarm(0)
    return 128 - code if code < 0 else code


def _end_with_parent() -> None:
    """Let the kernel send SIGINT to this process when its parent ends, even by SIGKILL (Linux; elsewhere: nothing)."""
    set_option = getattr(ctypes.CDLL(None), "prctl", None)
    if set_option:
        set_option(PR_SET_PDEATHSIG, signal.SIGINT)


def stale(plan: Sequence[Planned]) -> List[Planned]:
    """The stale ones."""
    return [planned for planned in plan if planned.state.name == STALE]
