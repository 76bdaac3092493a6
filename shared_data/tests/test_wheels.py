"""The wheels of all seven packages: complete, of one version, and enough to run where the repository is not."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from shared_data import __version__

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/setup.cfg"))
# environment of a paper: its package
PAPERS = {"ssdgl": "ssdgl", "rssgl": "rssgl", "a2s2k": "a2s2k_resnet", "da-imrn": "da_imrn", "apdclnn": "apdclnn"}
# the report is an extra, whose package jinja2 the environments of the papers' time lack
IMPORT_ALL = """
import importlib, pkgutil, sys, shared_data
for module in pkgutil.walk_packages(shared_data.__path__, "shared_data."):
    if sys.version_info < (3, 10) and module.name.split(".")[1] in ("describe", "export"):
        continue  # tools of the current stack
    try:
        module.name.endswith("__main__") or importlib.import_module(module.name)
    except ImportError as error:
        if error.name != "jinja2":
            raise
print(shared_data.__file__)
"""

pytestmark = pytest.mark.slow


def runs_here(folder):
    """Whether the package is for this interpreter."""
    text = (ROOT / folder / "setup.cfg").read_text(encoding="utf-8")
    least = re.search(r"python_requires = >=(\d+)\.(\d+)", text).groups()
    return sys.version_info[:2] >= tuple(map(int, least))


def sources(folder):
    """The files that the package consists of, as they are named in its wheel."""
    package = "simplecv" if folder == "simplecv_vendor" else folder
    inside = {path: path.relative_to(ROOT / folder) for path in (ROOT / folder / package).rglob("*")}
    inside.update({path: Path(package, "configs", path.name) for path in (ROOT / folder / "configs").glob("*")})
    if folder == "simplecv_vendor":
        inside[ROOT / folder / "simplecv_check.py"] = Path("simplecv_check.py")
    return {str(name) for path, name in inside.items() if path.is_file() and "__pycache__" not in path.parts}


def run(words, **options):
    return subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=900, **options
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """By folder the wheel that pip makes from a copy of the repository, so that no `build/` stays behind."""
    copy, made = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheels")
    unneeded = shutil.ignore_patterns("__pycache__", "build", "*.egg-info", "raw", "tests")
    for folder in FOLDERS:
        shutil.copytree(str(ROOT / folder), str(copy / folder), ignore=unneeded)
    projects = ["./" + folder for folder in FOLDERS if runs_here(folder)]
    words = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(made)]
    done = run(words + projects, cwd=str(copy))
    if "No matching distribution found for setuptools" in done.stdout:
        pytest.skip("pip reaches no index to install setuptools from")
    assert done.returncode == 0, done.stdout
    found = {path.name.split("-")[0][len("hsi_") :]: path for path in made.iterdir()}
    assert set(found) == set(filter(runs_here, FOLDERS))
    return found


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory):
    """Variables of an environment in which Python finds the installed wheels before the repository."""
    site = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(site)]
    done = run(words + [str(path) for path in wheels.values()])
    assert done.returncode == 0, done.stdout
    return dict(os.environ, PYTHONPATH=str(site), OMP_NUM_THREADS="1")


def test_every_wheel_has_the_one_version(wheels):
    assert {path.name.split("-")[1] for path in wheels.values()} == {__version__}


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if runs_here(folder)])
def test_a_wheel_holds_every_file_of_its_package_and_no_other(wheels, folder):
    with zipfile.ZipFile(str(wheels[folder])) as wheel:
        members = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert members == sources(folder)


def test_every_installed_module_of_the_shared_code_can_be_imported(installed, tmp_path):
    done = run([sys.executable, "-c", IMPORT_ALL], env=installed, cwd=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(installed["PYTHONPATH"])


@pytest.mark.stack_independent
@pytest.mark.parametrize("paper", sorted(set(PAPERS) - {"ssdgl"}))
def test_an_installed_paper_finds_its_configurations(installed, tmp_path, paper):
    done = in_environment_of(paper, installed, tmp_path, "settings", "synthetic")
    assert '"synthetic"' in done.stdout


@pytest.mark.stack_independent
def test_the_installed_ssdgl_runs(installed, tmp_path):
    words = ("reproduce", "synthetic", "--iters", "1", "--device", "cpu", "--out", "results")
    in_environment_of("ssdgl", installed, tmp_path, *words)
    (record,) = tmp_path.glob("results/**/run.json")
    assert '"version": "%s"' % __version__ in record.read_text()


def in_environment_of(paper, variables, folder, *words):
    """What a paper's installed command prints, with the other packages of its environment."""
    python = ROOT / ".venvs" / (paper + "-modern") / "bin" / "python"
    if not python.exists():
        pytest.skip("no environment of %s" % paper)
    done = run([str(python), "-m", PAPERS[paper]] + list(words), env=variables, cwd=str(folder))
    assert done.returncode == 0, done.stdout
    return done
