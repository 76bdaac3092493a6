"""What a number was measured on: hardware, versions, revision, memory."""

import os
import platform
import resource
import subprocess
import sys
from typing import Any, Dict, Optional


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
    """Commit of the source tree and whether tracked files differ from it; None where nothing tells.

    In an image there is no git: the commit it was built from is in the variable HSI_REVISION.
    """
    folder = os.path.dirname(os.path.abspath(__file__))

    def git(*words: str) -> Optional[str]:
        try:
            answer = subprocess.check_output(("git", "-C", folder) + words, stderr=subprocess.DEVNULL)
            return answer.decode().strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    commit = git("rev-parse", "HEAD")
    if commit is None:
        named = os.environ.get("HSI_REVISION", "unknown")
        if named == "unknown":
            return {"git": None, "dirty": None}
        return {"git": named.replace("-dirty", ""), "dirty": named.endswith("-dirty")}
    return {"git": commit, "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}


def describe(framework: str, version: str, gpu: Optional[str]) -> Dict[str, Any]:
    """The record's `environment`: framework and Python versions, processor and cores, GPU name or None."""
    return {
        "framework": framework,
        "framework_version": version,
        "python": platform.python_version(),
        "system": platform.system(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "gpu": gpu,
    }
