"""The Markdown files name files, modules and links that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [path for path in sorted(ROOT.iterdir()) if path.is_dir() and not path.name.startswith(".")]
PATTERNS = ("*.md", "docs/*.md", "*/README.md", "*/*/README.md")
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in PATTERNS
    for path in ROOT.glob(pattern)
    if not path.relative_to(ROOT).parts[0].startswith(".")
)

_FILE = re.compile(r"`([\w./-]+\.py)\b")
_MODULE = re.compile(r"`([a-z_]\w*(?:\.\w+)+)`")
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")

pytestmark = pytest.mark.stack_independent


def places(document):
    """Where a document's names of Python files begin: its folder and those in it, and what papers have on their path.

    A document about the whole repository may name a file of any package or of its tests.
    """
    top = [ROOT / document.parts[0]] if len(document.parts) > 1 and document.parts[0] != "docs" else FOLDERS
    inner = [path for folder in top for path in folder.iterdir() if path.is_dir()]
    return [ROOT, (ROOT / document).parent, ROOT / "shared_data", ROOT / "simplecv_vendor"] + top + inner


def is_module(name):
    """Whether "package.module" or "package.module.name" exists; True, too, for what is not of our packages."""
    first, *words = name.split(".")
    packages = [folder / first for folder in FOLDERS if list((folder / first).glob("*.py"))]
    if not packages:
        return True
    place = packages[0]
    while words and ((place / words[0]).is_dir() or (place / (words[0] + ".py")).exists()):
        place = place / words.pop(0)
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return not words or (source.exists() and words[0] in re.findall(r"\w+", source.read_text(encoding="utf-8")))


def wrong_names(document, text):
    """What leads nowhere, each with its line."""
    folders, own = places(document), (ROOT / document).parent
    for number, line in enumerate(text.splitlines(), start=1):
        wrong = [name for name in _FILE.findall(line) if not any((folder / name).exists() for folder in folders)]
        wrong += [name for name in _MODULE.findall(line) if not is_module(name)]
        wrong += [link for link in _LINK.findall(line) if ":" not in link and not (own / link).exists()]
        for name in wrong:
            yield "line %d: %s" % (number, name)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_file_that_a_document_names_exists(document):
    assert list(wrong_names(document, (ROOT / document).read_text(encoding="utf-8"))) == []


def test_a_wrong_name_is_found():
    text = """
    `train.py`, `tests/test_trace.py`, `shared_data.preprocessing.standardise`, `simplecv.data.preprocess`,
    `torch.load`, `config.toml`, [records](../shared_data/README.md#records), [paper](https://doi.org/10)
    `no_sampling.py` `shared_data/sampling.py`
    `shared_data.sampling` `shared_data.splits.draws.no_such_name`
    [records](../shared_data/RECORDS.md)
    """
    assert list(wrong_names(Path("ssdgl/README.md"), text)) == [
        "line 4: no_sampling.py", "line 4: shared_data/sampling.py", "line 5: shared_data.sampling",
        "line 5: shared_data.splits.draws.no_such_name", "line 6: ../shared_data/RECORDS.md",
    ]  # fmt: skip
