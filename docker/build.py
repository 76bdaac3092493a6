"""Build one paper's image: python docker/build.py a2s2k --variant cpu

The image is named hsi/<paper>:<variant>. TOOL says with what: docker (default), podman or buildah. BUILD_MOUNTS, a
space-separated list of HOST:PATH[:ro], is for hosts behind a proxy, whose certificates and pip configuration a build
needs; podman and buildah mount them, docker cannot.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence

from variants import PAPERS, VARIANTS, build_arguments

ROOT = Path(__file__).resolve().parents[1]


def revision() -> str:
    """Commit of the checkout, with '-dirty' where tracked files differ; 'unknown' outside git."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    answer = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return answer.stdout.decode().strip() or "unknown"


def build_command(
    tool: Sequence[str], paper: str, image: str, arguments: Dict[str, str], mounts: Sequence[str]
) -> List[str]:
    """The words that build an image."""
    words = list(tool) + ["--file", str(ROOT / "docker" / (paper + ".Dockerfile")), "--tag", image]
    for name, value in arguments.items():
        words += ["--build-arg", "%s=%s" % (name, value)]
    for mount in mounts:
        words += ["--volume", mount]
    return words + [str(ROOT)]


def main() -> int:
    """Build; returns the tool's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paper", choices=sorted(PAPERS))
    parser.add_argument("--variant", choices=VARIANTS, default="modern")
    parser.add_argument("--base", help="base image instead of the variant's")
    parser.add_argument("--index", help="package index instead of PyPI")
    parser.add_argument("--show", action="store_true", help="print the command, run nothing")
    words = parser.parse_args()

    arguments = build_arguments(PAPERS[words.paper].variants[words.variant], revision())
    if words.base:
        arguments["BASE"] = words.base
    if words.index:
        arguments["PIP_INDEX_URL"] = words.index
    tool = os.environ.get("TOOL", "docker")
    mounts = os.environ.get("BUILD_MOUNTS", "").split()
    if mounts and tool == "docker":
        print("error: docker cannot mount BUILD_MOUNTS into a build; use TOOL=buildah or TOOL=podman.", file=sys.stderr)
        return 1
    image = "hsi/%s:%s" % (words.paper, words.variant)
    command = build_command([tool, "build"], words.paper, image, arguments, mounts)
    if words.show:
        print(" ".join("'%s'" % word if " " in word or word.endswith("=") else word for word in command))
        return 0
    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        print("error: '%s' is not installed; TOOL names another: docker, podman or buildah." % tool, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
