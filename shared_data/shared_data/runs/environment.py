"""What a number was measured on: hardware, versions, revision, memory."""

import os
import platform
import resource
import subprocess
import sys
from typing import Any, Dict, Optional

import numpy
import scipy
import sklearn

from shared_data import __version__


def cpu_name() -> str:
    """The processor's marketing name where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory_mb() -> float:
    """Peak resident memory of this process so far, in 10^6 bytes."""
    try:
        # getrusage of a child also counts what its parent held when it forked; the kernel's own mark does not
        with open("/proc/self/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def revision() -> Dict[str, Any]:
    """The code that runs: `version` of the package, commit (`git`), and whether tracked files differ from it (`dirty`).

    The variable HSI_REVISION names the commit first of all: an image has no git, it knows what it was built from. A
    checkout asks git. An installed copy has neither, also where it lies inside another project's repository: git is
    asked only where it tracks this very file. `git` and `dirty` are None where nothing tells.
    """
    found: Dict[str, Any] = {"version": __version__, "git": None, "dirty": None}
    named = os.environ.get("HSI_REVISION") or "unknown"
    if named != "unknown":
        found.update(git=named.replace("-dirty", ""), dirty=named.endswith("-dirty"))
    elif _git("ls-files", "--error-unmatch", os.path.basename(__file__)) is not None:
        found.update(git=_git("rev-parse", "HEAD"), dirty=bool(_git("status", "--porcelain", "--untracked-files=no")))
    return found


def _git(*words: str) -> Optional[str]:
    """What git answers in this file's folder; None where it cannot."""
    folder = os.path.dirname(os.path.abspath(__file__))
    try:
        answer = subprocess.check_output(("git", "-C", folder) + words, stderr=subprocess.DEVNULL)
        return answer.decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def tensorflow_threads() -> int:
    """Threads TensorFlow computes one operation with: what its variable says, else one per core."""
    named = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(named) if named.isdigit() and int(named) else usable_cores()


def describe(framework: str, version: str, device: str, gpu: Optional[str], threads: int) -> Dict[str, Any]:
    """The record's `environment`: what computed, and on what.

    device: as the framework names it, `cpu` or `cuda:0`. gpu: its marketing name, or None. threads: those that compute
    on the CPU. Versions of numpy, scipy and scikit-learn are added.
    """
    return {
        "framework": framework,
        "framework_version": version,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "scikit_learn": sklearn.__version__,
        "system": platform.system(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "threads": threads,
        "device": device,
        "gpu": gpu,
    }
