"""python -m tools.matrix.run_one PLAN JOB RECORD TAIL LEFT: what a job of Snakemake runs.

It starts the paper's own command line, which resumes what was interrupted and only reports what is finished. All output
goes to the job's log, which grows over the attempts. RECORD and TAIL are files that Snakemake expects: the run's
record, and the last lines of a failed run, which it shows. LEFT is the number of attempts that follow a failure.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

from shared_data.runs.directory import is_held
from tools.matrix.plan import WORK
from tools.matrix.states import REDO

LAST_LINES = 20
_LOOK_AGAIN_S = 2.0


def log_path(out: Path, name: str) -> Path:
    """Where all output of a job goes."""
    return out / WORK / "logs" / (name + ".log")


def wait_for_lock(folder: Path, log: Any) -> None:
    """Wait until no process of an earlier matrix holds the run directory, so that no run is started twice."""
    if is_held(folder):
        log.write("waiting for the process that holds %s\n" % folder)
        log.flush()
    while is_held(folder):
        time.sleep(_LOOK_AGAIN_S)


def environment(cores: int) -> Dict[str, str]:
    """The environment of a run: numerical libraries start one thread per core of the job, unless the user's variables
    differ."""
    threads = {name: str(cores) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
    return dict(threads, **os.environ)


def last_lines(path: Path, start: int) -> str:
    """The last lines of a file behind the position `start`."""
    with open(str(path), "rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LAST_LINES:]) + "\n"


def _told(code: int, left: int, log: Path, start: int) -> str:
    if code in (128 + signal.SIGTERM, 128 + signal.SIGINT):
        return "stopped by a signal; the same command resumes it\n"
    if left:
        return "%d attempts are left\n" % left
    return "its last lines:\n" + last_lines(log, start)


def run(plan: Dict[str, Any], name: str, expected: Path, tail: Path, left: int) -> int:
    """Run a job to its end; return its exit code, or 128 plus the number of the signal that ended it."""
    out, job = Path(plan["out"]), plan["jobs"][name]
    record, log = out / name / "run.json", log_path(out, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    # the run receives the signals of its process group itself; forwarding them would end it at once, by the second one
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    with open(str(log), "a", encoding="utf-8") as file:
        start = file.tell()
        wait_for_lock(out / name, file)
        command = job["command"] + (["--force"] if (out / name / REDO).exists() else [])
        file.write("$ %s\n" % " ".join(command))
        file.flush()
        code = subprocess.call(command, stdout=file, stderr=subprocess.STDOUT, env=environment(job["cores"]))
    code = 128 - code if code < 0 else code
    if code == 0 and expected.absolute() != record.absolute():
        shutil.copyfile(str(record), str(expected))
    if code:
        tail.write_text(
            "%s ended with code %d, all of it in %s; %s" % (name, code, log, _told(code, left, log, start)), "utf-8"
        )
    return code


def main(words: List[str]) -> int:
    """Entry point; returns the exit code."""
    path, name, expected, tail, left = words
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    return run(plan, name, Path(expected), Path(tail), int(left))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
