"""The package of the same name in the package index must not pass for ours."""

import subprocess
import sys
from pathlib import Path

import pytest

import simplecv
import simplecv_check

OURS = Path(simplecv.__file__).parents[1]


def check_in_new_process(path, statement="import simplecv_check; simplecv_check.require_vendored()"):
    program = f"import sys; sys.path[:0] = {[str(p) for p in path]!r}; {statement}"
    return subprocess.run([sys.executable, "-I", "-c", program], stderr=subprocess.PIPE, universal_newlines=True)


@pytest.fixture
def impostor(tmp_path):
    package = tmp_path / "impostor" / "simplecv"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("print 'this is Python 2'")
    return package.parent


def test_ours_passes():
    assert simplecv.__vendored__ == "hsi-simplecv-vendor"
    assert simplecv_check.require_vendored() is None
    assert check_in_new_process([OURS]).returncode == 0


def test_another_package_is_told_in_one_sentence_without_running_it(impostor):
    outcome = check_in_new_process([impostor, OURS])
    last = outcome.stderr.strip().splitlines()[-1]
    assert outcome.returncode == 1
    assert last == "ImportError: " + simplecv_check.SENTENCE.format(found=impostor / "simplecv" / "__init__.py")


def test_another_package_that_is_imported_already_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "simplecv", type(sys)("simplecv"))
    with pytest.raises(ImportError, match="found at an unknown place is not this project's"):
        simplecv_check.require_vendored()


def test_no_package_at_all_is_told(monkeypatch):
    monkeypatch.delitem(sys.modules, "simplecv")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="'simplecv' is not installed: install the folder simplecv_vendor"):
        simplecv_check.require_vendored()
