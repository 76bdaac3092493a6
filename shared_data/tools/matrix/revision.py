"""Whether the code of a paper's runs has changed since a revision, by `git diff` of the files that a run uses."""

import functools
import subprocess
from pathlib import PurePosixPath
from typing import List, Optional

from tools.matrix.jobs import PaperSource

# folders of which no file decides a run's result; configurations are compared value by value
_BESIDE = {"tests", "contracts", "tools", "report", "configs", "raw", "golden", "docs"}


def decides(path: str, paper: PaperSource, stack: str) -> bool:
    """Whether a file, relative to the repository, may change the result of a run in this stack (modern or era)."""
    place = PurePosixPath(path)
    if path == "%s/requirements/%s.txt" % (paper.folder, stack):
        return True
    inside = any(
        place.parts[: len(PurePosixPath(source).parts)] == PurePosixPath(source).parts for source in paper.sources
    )
    return inside and (place.suffix == ".py" or place.name == "scenes.toml") and not _BESIDE & set(place.parts)


@functools.lru_cache(maxsize=None)
def _changed_files(root: str, revision: str) -> Optional[List[str]]:
    """Files in which the working tree differs from a revision; None where git does not know the revision."""
    command = ["git", "-C", root, "diff", "--name-only", "--no-renames", revision, "--"]
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL).decode().splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None


def code_changed(root: str, revision: Optional[str], paper: PaperSource, stack: str) -> Optional[str]:
    """Why the code differs from a revision, in some words; None where it does not, or where git cannot tell."""
    if _changed_files(root, "HEAD") is None:
        return None  # no checkout, so there is nothing to compare with
    if revision is None:
        return "its revision is unknown"
    files = _changed_files(root, revision)
    if files is None:
        return "its revision %s is not in this checkout" % revision[:7]
    changed = [path for path in files if decides(path, paper, stack)]
    if not changed:
        return None
    more = " and %d more" % (len(changed) - 1) if len(changed) > 1 else ""
    return "code changed since %s: %s%s" % (revision[:7], changed[0], more)
