"""The environment of a measurement: hardware, versions, revision, memory."""

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

CUDA_GRAPHS = "HSI_CUDA_GRAPHS"  # environment variable: 1 makes the papers on PyTorch train with CUDA graphs


def cpu_name() -> str:
    """The processor's marketing name, where the system provides it."""
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
        # getrusage of a child also counts its parent's memory at the fork; VmHWM does not
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

    HSI_REVISION, if set, names the commit: container images have no git and set it at their build. In a checkout, git
    does. An installed copy has neither, even inside another project's repository: git is asked only where it tracks
    this very file. `git` and `dirty` are None where unknown.
    """
    found: Dict[str, Any] = {"version": __version__, "git": None, "dirty": None}
    named = os.environ.get("HSI_REVISION") or "unknown"
    if named != "unknown":
        found.update(git=named.replace("-dirty", ""), dirty=named.endswith("-dirty"))
    elif _git("ls-files", "--error-unmatch", os.path.basename(__file__)) is not None:
        changes = _git("status", "--porcelain", "--untracked-files=no")
        found.update(git=_git("rev-parse", "HEAD"), dirty=None if changes is None else bool(changes))
    return found


def _git(*words: str) -> Optional[str]:
    """The output of git in this file's folder; None where it fails."""
    folder = os.path.dirname(os.path.abspath(__file__))
    try:
        answer = subprocess.check_output(("git", "-C", folder) + words, stderr=subprocess.DEVNULL)
        return answer.decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def tensorflow_threads() -> int:
    """TensorFlow's threads per operation: its environment variable's value, else one per core."""
    named = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(named) if named.isdigit() and int(named) else usable_cores()


def describe_tensorflow(framework: str, version: str, device: str, gpu: Optional[str]) -> Dict[str, Any]:
    """`describe` for TensorFlow, which names a device `/CPU:0`."""
    return describe(framework, version, device.strip("/").lower(), gpu, tensorflow_threads())


def describe(framework: str, version: str, device: str, gpu: Optional[str], threads: int) -> Dict[str, Any]:
    """The record's `environment`: software and hardware.

    device: as the framework names it, `cpu` or `cuda:0`. gpu: its marketing name, or None. threads: those that compute
    on the CPU. Versions of numpy, scipy and scikit-learn are added, and on `cuda` whether HSI_CUDA_GRAPHS is on.
    """
    described = {
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
    if device.startswith("cuda"):
        described["cuda_graphs"] = os.environ.get(CUDA_GRAPHS) == "1"
    return described
