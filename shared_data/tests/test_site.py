"""The documentation site can be built, every link in it leads somewhere, and it loads nothing from elsewhere."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MKDOCS = ROOT / ".venvs" / "docs" / "bin" / "mkdocs"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stack_independent,
    pytest.mark.skipif(not MKDOCS.exists(), reason="no environment for the documentation"),
]


def test_the_site_is_built_without_a_warning(tmp_path):
    words = [str(MKDOCS), "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, cwd=str(ROOT),
        env=dict(os.environ, NO_MKDOCS_2_WARNING="1"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    pages = {
        path.relative_to(tmp_path).as_posix(): path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")
    }
    assert "make reproduce-ssdgl-indianpines" in pages["index.html"]
    assert 'href="../ssdgl/index.html"' in pages["docs/results.html"]  # from docs/ to a folder beside it
    assert "shared_data.runs.method.Method" in pages["api/shared_data.runs.html"]  # from docstrings
    loaded = re.compile(r'<(?:script|img|iframe)[^>]*\ssrc="https?:|<link[^>]*rel="stylesheet"[^>]*href="https?:')
    assert [name for name, text in pages.items() if loaded.search(text)] == []
