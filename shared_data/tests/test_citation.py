"""CITATION.cff follows its schema, and every place that names a paper's DOI names the same one."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CFFCONVERT = ROOT / ".venvs" / "docs" / "bin" / "cffconvert"
# folder of a paper: its Dockerfile
PAPERS = {"ssdgl": "ssdgl", "rssgl": "rssgl", "a2s2k_resnet": "a2s2k", "da_imrn": "da-imrn", "apdclnn": "apdclnn"}

pytestmark = pytest.mark.stack_independent


def dois(path):
    return set(re.findall(r"\b10\.\d{4,}/[\w.]*\w", (ROOT / path).read_text(encoding="utf-8")))


@pytest.mark.parametrize("folder", sorted(PAPERS))
def test_readme_and_image_name_one_doi_that_is_cited(folder):
    (doi,) = dois(folder + "/README.md")
    assert dois("docker/%s.Dockerfile" % PAPERS[folder]) == {doi}
    assert doi in dois("CITATION.cff")


def test_the_five_papers_are_cited():
    assert len(dois("CITATION.cff")) == len(PAPERS)


@pytest.mark.skipif(not CFFCONVERT.exists(), reason="no environment for the documentation")
def test_the_citation_follows_its_schema():
    words = [str(CFFCONVERT), "--validate", "--infile", str(ROOT / "CITATION.cff")]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
