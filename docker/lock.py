"""Hash locks of the requirement files: docker/locks/<folder>-<stack>.txt, made with uv from the index's own hashes.

    python docker/lock.py           write them (needs the network and uv: pip install uv)
    python docker/lock.py --check   exit with 1 where a lock and its requirement file name different versions, or where
                                    an image gets CUDA for another TensorFlow than its requirement file names

locks/cuda-tensorflow-<version>.txt holds what a GPU needs besides: CUDA libraries, or the build of that time with CUDA.
PyTorch is not locked: its builds for CPU and for CUDA have one version, come from different indexes and have different
hashes. All other packages are, for every platform and interpreter the index has files for.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, Optional, Set

from variants import CUDA_LOCK, PAPERS

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "docker" / "locks"
UNLOCKED = "torch"
# PyTorch and TensorBoard ask for some setuptools; this is the last series that still has TensorBoard's pkg_resources
SETUPTOOLS = "setuptools==80.9.0"
# the oldest interpreter a file is for; the modern one of TensorFlow pins Keras 3.15, which needs Python 3.11
OLDEST_ERA = {"3.6": "3.6.15", "3.7": "3.7.16", "3.8": "3.8.18"}
OLDEST_MODERN = {"da_imrn": "3.11", "apdclnn": "3.11"}


def pinned(text: str) -> Set[str]:
    """'name==version' of every requirement, names normalised."""
    pairs = re.findall(r"^([A-Za-z][\w.-]*)==([^\s;\\]+)", text, re.MULTILINE)
    return {"%s==%s" % (re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in pairs}


def lockable(requirements: Path, oldest: str) -> str:
    """The requirement file without what cannot be locked or is for older interpreters, with setuptools."""
    left_out = "^%s==" % UNLOCKED
    if oldest == "3.11":
        left_out += '|python_version < "3.11"'
    lines = [line for line in requirements.read_text().splitlines() if not re.search(left_out, line)]
    return "\n".join(lines + [SETUPTOOLS] * (requirements.stem == "modern")) + "\n"


def locked(text: str, python: str, *options: str) -> str:
    """Ask the index for the hashes of every pinned package. Raises: CalledProcessError."""
    words = ["uv", "pip", "compile", "--quiet", "--python-version", python]
    words += ["--generate-hashes", "--no-annotate", "--no-header", *options, "-"]
    return subprocess.run(words, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout.decode()


def requirements_of(folder: str, stack: str) -> Path:
    """The requirement file of a paper's stack."""
    return ROOT / folder / "requirements" / (stack + ".txt")


def tensorflow_of(requirements: Path) -> Optional[str]:
    """The version of TensorFlow that a requirement file names."""
    found = re.search(r"^tensorflow==(\S+)", requirements.read_text(), re.MULTILINE)
    return found.group(1) if found else None


def stale_cuda() -> int:
    """How many images for GPUs get CUDA for another TensorFlow than their requirement file names; prints each."""
    stale = 0
    for slug, paper in PAPERS.items():
        for name, variant in paper.variants.items():
            requirements = requirements_of(paper.folder, variant.stack)
            version = tensorflow_of(requirements)
            if variant.further_requirements and variant.further_requirements != CUDA_LOCK % version:
                stale += 1
                told = (name, slug, variant.further_requirements, version, requirements)
                print("variants.py: %s of %s gets %s, not CUDA for TensorFlow %s of %s." % told)
    return stale


def cuda_of_tensorflow(paper: str) -> Dict[str, str]:
    """Per stack the name and the content of the lock that a GPU needs besides the paper's."""
    locks = {}
    for stack in ("modern", "era"):
        version = tensorflow_of(requirements_of(PAPERS[paper].folder, stack))
        if stack == "modern":
            asked = "tensorflow[and-cuda]==" + version
            everything = locked(asked, "3.12", "--python-platform", "x86_64-manylinux_2_28")
            content = "".join(re.findall(r"^nvidia-.*\n(?:    .*\n)*", everything, re.MULTILINE))
        else:
            oldest = OLDEST_ERA[PAPERS[paper].variants["era"].python]
            content = locked("tensorflow-gpu==" + version, oldest, "--no-deps", "--universal")
        locks["cuda-tensorflow-%s.txt" % version] = content
    return locks


def main() -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = stale_cuda() if check else 0
    for paper in PAPERS.values():
        for stack in ("modern", "era"):
            requirements = requirements_of(paper.folder, stack)
            lock = LOCKS / ("%s-%s.txt" % (paper.folder, stack))
            modern = OLDEST_MODERN.get(paper.folder, "3.10")
            oldest = modern if stack == "modern" else OLDEST_ERA[paper.variants["era"].python]
            text = lockable(requirements, oldest)
            if check:
                if not lock.exists() or pinned(lock.read_text()) != pinned(text):
                    stale += 1
                    print("%s does not name the versions of %s; run python docker/lock.py." % (lock, requirements))
                continue
            lock.write_text("# Written by docker/lock.py from %s.\n" % requirements.relative_to(ROOT).as_posix()
                            + locked(text, oldest, "--no-deps", "--universal"))  # fmt: skip
            print("%s: %d packages" % (lock.relative_to(ROOT), len(pinned(text))))
    if not check:
        for paper in ("da-imrn", "apdclnn"):
            for name, content in cuda_of_tensorflow(paper).items():
                (LOCKS / name).write_text("# Written by docker/lock.py.\n" + content)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
