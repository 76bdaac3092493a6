"""The contracts' pytest plugin, named in pytest.ini: fixtures, and rewriting of assertions in the contracts."""

import contextlib
import io
import pkgutil
import shutil
from pathlib import Path
from typing import Any, Dict, NamedTuple, Tuple

import numpy as np
import pytest
from scipy.io import savemat

import contracts
from shared_data.scenes import catalogue
from shared_data.scenes.catalogue import Scene, SceneFile

# must precede their first import
pytest.register_assert_rewrite(*("contracts." + module.name for module in pkgutil.iter_modules(contracts.__path__)))

SIDE, BANDS, CLASSES = 40, 64, 4
_PALETTE = ("#c702a1", "#a6fe1c", "#0a5e6f", "#ffb000")


class FinishedRun(NamedTuple):
    """A run of two steps on the synthetic scene: what was asked for on the command line, its results folder, and what
    it printed."""

    words: Tuple[str, ...]
    out: Path
    printed: str


_FINISHED: Dict[str, FinishedRun] = {}


@pytest.fixture
def finished(paper, tmp_path_factory):
    """The paper's `FinishedRun`, made once for all tests of the session: they copy what they change."""
    if paper.slug not in _FINISHED:
        out = tmp_path_factory.mktemp("finished")
        words = ("synthetic", "--protocol", "paper", "--device", "cpu", "--out", str(out), *paper.short)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert paper.main(["reproduce", *words]) == 0
        _FINISHED[paper.slug] = FinishedRun(words, out, printed.getvalue())
    return _FINISHED[paper.slug]


class Plots(NamedTuple):
    """The scenes' folder, their cubes by slug, and the label map that plota, plotb and plotc share."""

    folder: Path
    cubes: Any
    labels: np.ndarray


def _scene(slug: str, bands: int, labelled: bool) -> Scene:
    truth = SceneFile(slug + "_gt.mat", "map", None, ()) if labelled else None
    names = tuple("class %d" % label for label in range(1, CLASSES + 1))
    cube = SceneFile(slug + ".mat", "data", None, ())
    return Scene(slug, slug, SIDE, SIDE, bands, names, _PALETTE, None, None, cube, truth, "manual", "made by a test")


@pytest.fixture
def plots(paper, tmp_path, monkeypatch):
    """Small generated scenes of one set of spectra, known to the catalogue for the duration of a test.

    `plota`, which trains; `plotb`, with other statistics; `plotn`, the pixels of `plota` without a ground truth;
    `plotz`, with one that is all zero; `plotc`, with fewer bands. Of plota and plotb there are configurations.
    """
    random = np.random.RandomState(0)
    labels = (np.arange(SIDE)[:, None] // 10 + np.arange(SIDE) // 10).astype(np.uint8) % CLASSES + 1
    spectra = random.rand(CLASSES + 1, BANDS) * 1000 + 500
    cube = (spectra[labels] + random.normal(0, 60, (SIDE, SIDE, BANDS))).astype(np.uint16)
    other = (cube[::-1, :, :] * np.linspace(0.4, 2.0, SIDE)[:, None] + 300).astype(np.uint16)
    cubes = {"plota": cube, "plotb": other, "plotn": cube, "plotz": cube, "plotc": cube[:, :, :-4]}
    maps = {"plota": labels, "plotb": labels[::-1], "plotz": np.zeros_like(labels), "plotc": labels}
    folder = tmp_path / "plots"
    folder.mkdir()
    known = dict(catalogue.scenes())
    for slug, values in cubes.items():
        savemat(str(folder / (slug + ".mat")), {"data": values})
        if slug in maps:
            savemat(str(folder / (slug + "_gt.mat")), {"map": maps[slug]})
        known[slug] = _scene(slug, values.shape[2], slug in maps)
    monkeypatch.setattr(catalogue, "scenes", lambda: dict(known))
    configs = tmp_path / "configs"
    shutil.copytree(str(paper.configs_owner.CONFIGS), str(configs))
    text = (configs / "synthetic.toml").read_text(encoding="utf-8")
    for slug in ("plota", "plotb"):
        (configs / (slug + ".toml")).write_text(text.replace('"synthetic"', '"%s"' % slug), encoding="utf-8")
    monkeypatch.setattr(paper.configs_owner, "CONFIGS", configs)
    return Plots(folder, cubes, labels)
