"""Files of papers that claim to be the same are the same."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_CLAIM = re.compile(r"# The same file lies in ([\w/, ]+) and ([\w/]+); a test keeps (?:the two|them) equal\.\n")

pytestmark = pytest.mark.stack_independent


def copies():
    """(file, another one) of every file that begins with the claim."""
    for file in sorted(ROOT.glob("*/*/*.py")):
        claim = _CLAIM.match(file.read_text(encoding="utf-8"))
        if claim:
            folders = [ROOT / name for name in (*claim.group(1).split(", "), claim.group(2))]
            assert file.parent in folders, "%s does not lie where it claims to" % file
            yield from ((file, folder / file.name) for folder in folders if folder != file.parent)


def test_files_that_claim_to_be_the_same_are_the_same():
    found = list(copies())
    pairs = {(file, other) for file, other in found}
    assert all((other, file) in pairs for file, other in found)
    names = {file.name for file, _ in found}
    assert {"stages.py", "tiles.py", "sampling.py", "preprocessing.py", "predict.py", "cuda_graph.py"} <= names
    for file, other in found:
        assert file.read_bytes() == other.read_bytes(), "%s and %s differ" % (file, other)
