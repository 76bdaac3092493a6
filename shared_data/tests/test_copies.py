"""Files of two papers that claim to be the same are the same."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_CLAIM = re.compile(r"# The same file lies in ([\w/]+) and ([\w/]+); a test keeps the two equal\.\n")

pytestmark = pytest.mark.stack_independent


def copies():
    """(file, the other one) of every file that begins with the claim."""
    for file in sorted(ROOT.glob("*/*/*.py")):
        claim = _CLAIM.match(file.read_text(encoding="utf-8"))
        if claim:
            folders = [ROOT / name for name in claim.groups()]
            assert file.parent in folders, "%s does not lie where it claims to" % file
            yield from ((file, folder / file.name) for folder in folders if folder != file.parent)


def test_files_that_claim_to_be_the_same_are_the_same():
    found = list(copies())
    names = sorted(file.name for file, _ in found)
    assert names[::2] == names[1::2] and {
        "stages.py",
        "tiles.py",
        "sampling.py",
        "preprocessing.py",
        "predict.py",
    } <= set(names)
    for file, other in found:
        assert file.read_bytes() == other.read_bytes(), "%s and %s differ" % (file, other)
