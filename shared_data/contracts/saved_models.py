"""A saved model brings all that predicting needs: whatever seed, protocol, scene and labels it is asked for.

Small generated scenes of one set of spectra: `plota`, which trains; `plotb`, with other statistics; `plotn`, the pixels
of `plota` without a ground truth; `plotz`, with one that is all zero; `plotc`, with fewer bands.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.io import savemat

from shared_data.scenes import catalogue
from shared_data.scenes.catalogue import Scene, SceneFile

SIDE, BANDS, CLASSES = 40, 64, 4
_PALETTE = ("#c702a1", "#a6fe1c", "#0a5e6f", "#ffb000")


class Plots(NamedTuple):
    """Where the scenes lie, their cubes by slug, and the label map that plota, plotb and plotc share."""

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
    """The scenes, known to the catalogue, and a configuration of plota and plotb, for the duration of a test."""
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


def words_for(slug, plots, out, *further):
    """What follows `reproduce` or `predict`."""
    return [slug, "--device", "cpu", "--data", str(plots.folder), "--unverified", "--out", str(out), *further]


def trained_on_plota(paper, plots, out):
    """(folder, saved model) of a short run."""
    assert paper.main(["reproduce", *words_for("plota", plots, out, *paper.epochs)]) == 0
    folder = out / paper.slug / "plota" / "paper" / ("seed-%d" % paper.default_seed)
    (selected,) = (path for path in (folder / "checkpoints").glob("selected.*"))
    return folder, selected


def predicted(paper, plots, out, slug, weights, *further):
    """(map, names of the files) of a prediction, from the folder that is named after scene, file and its hash."""
    assert paper.main(["predict", *words_for(slug, plots, out, "--weights", str(weights), *further)]) == 0
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:8]
    folder = out / paper.slug / slug / "predictions" / ("%s-%s-%s" % (slug, Path(weights).stem, digest))
    return np.load(str(folder / "prediction.npy")), sorted(path.name for path in folder.iterdir())


def test_a_saved_model_needs_nothing_of_the_request_but_a_scene(paper, plots, tmp_path, capsys):
    folder, selected = trained_on_plota(paper, plots, tmp_path / "out")
    expected = np.load(str(folder / "prediction.npy"))
    assert len(np.unique(expected)) > 1
    for further in (("--seed", "7"), ("--seed", "8", "--protocol", "disjoint")):
        capsys.readouterr()
        found, files = predicted(paper, plots, tmp_path / "out", "plota", selected, *further)
        np.testing.assert_array_equal(found, expected)
        assert files == ["errors.png", "map.png", "map_full.png", "prediction.npy"]
        assert "configuration and statistics of preprocessing are its own" in capsys.readouterr().out

    # the same pixels without labels, in scenes that no configuration is of
    for slug in ("plotn", "plotz"):
        found, files = predicted(paper, plots, tmp_path / "out", slug, selected)
        np.testing.assert_array_equal(found, expected)
        assert files == ["map_full.png", "prediction.npy"]

    words = ["predict", *words_for("plotc", plots, tmp_path / "out", "--weights", str(selected))]
    assert paper.main(words) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "%s was trained on the 64 bands of plota, but plotc has 60 bands" % selected in message
