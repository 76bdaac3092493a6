"""A saved model contains everything that predicting needs: its maps depend on no seed, protocol or labels given
later."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Dict, Tuple

import numpy as np
import pytest


def words_for(slug, plots, out, *further):
    """The options of `reproduce` and `predict`."""
    return [slug, "--device", "cpu", "--data", str(plots.folder), "--unverified", "--out", str(out), *further]


_TRAINED: Dict[str, Tuple[tempfile.TemporaryDirectory, Path]] = {}


def trained_on_plota(paper, plots, out):
    """(folder, saved model) of a copy in `out` of a short run, which is made once for all tests of the session."""
    if paper.slug not in _TRAINED:
        kept = tempfile.TemporaryDirectory()
        assert paper.main(["reproduce", *words_for("plota", plots, Path(kept.name) / "out", *paper.epochs)]) == 0
        _TRAINED[paper.slug] = kept, Path(kept.name) / "out"
    shutil.copytree(str(_TRAINED[paper.slug][1]), str(out))
    folder = out / paper.slug / "plota" / "paper" / ("seed-%d" % paper.default_seed)
    (selected,) = (path for path in (folder / "checkpoints").glob("selected.*"))
    return folder, selected


def predicted(paper, plots, out, slug, weights, *further):
    """(map, names of the files) of a prediction, from the folder that is named after scene, file and its hash."""
    assert paper.main(["predict", *words_for(slug, plots, out, "--weights", str(weights), *further)]) == 0
    digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()[:8]
    folder = out / paper.slug / slug / "predictions" / ("%s-%s-%s" % (slug, Path(weights).stem, digest))
    return np.load(str(folder / "prediction.npy")), sorted(path.name for path in folder.iterdir())


class SavedModels:
    """A saved model on the scene that it was trained on and on others; for the fixtures `paper` and `plots`."""

    @pytest.mark.stack_independent
    @pytest.mark.slow
    def test_a_saved_model_needs_nothing_of_the_request_but_a_scene(self, paper, plots, tmp_path, capsys):
        folder, selected = trained_on_plota(paper, plots, tmp_path / "out")
        expected = np.load(str(folder / "prediction.npy"))
        assert len(np.unique(expected)) > 1
        capsys.readouterr()
        further = ("--seed", "8", "--protocol", paper.protocols.split(", ")[0])
        found, files = predicted(paper, plots, tmp_path / "out", "plota", selected, *further)
        np.testing.assert_array_equal(found, expected)
        assert files == ["errors.png", "map.png", "map_full.png", "prediction.json", "prediction.npy"]
        assert "configuration and statistics of preprocessing are its own" in capsys.readouterr().out

        # the same pixels without labels, in scenes that no configuration is of
        for slug, further in (("plotn", ("--seed", "7")), ("plotz", ())):
            found, files = predicted(paper, plots, tmp_path / "out", slug, selected, *further)
            np.testing.assert_array_equal(found, expected)
            assert files == ["map_full.png", "prediction.json", "prediction.npy"]

        words = ["predict", *words_for("plotc", plots, tmp_path / "out", "--weights", str(selected))]
        assert paper.main(words) == 1
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert "%s was trained on the 64 bands of plota, but plotc has 60 bands" % selected in message

    @pytest.mark.slow
    def test_probabilities_agree_with_the_map(self, paper, plots, tmp_path):
        folder, selected = trained_on_plota(paper, plots, tmp_path / "out")
        found, files = predicted(paper, plots, tmp_path / "out", "plota", selected, "--probabilities")
        np.testing.assert_array_equal(found, np.load(str(folder / "prediction.npy")))
        assert "probabilities.npy" in files
        (path,) = tmp_path.glob("out/*/plota/predictions/*/probabilities.npy")
        values = np.load(str(path))
        assert values.dtype == np.float16 and values.shape == (*found.shape, 4)
        np.testing.assert_array_equal(values.argmax(axis=2) + 1, found)
        # each of 4 values is rounded by half a step, and one may be a step larger
        assert (values >= 0).all() and np.abs(values.astype(float).sum(axis=2) - 1).max() < 4 * 2.0**-11
        assert len(np.unique(values.max(axis=2))) > 10
