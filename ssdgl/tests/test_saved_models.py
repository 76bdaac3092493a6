"""What a saved model brings."""

import numpy as np
import pytest

from contracts.saved_models import SavedModels, predicted, trained_on_plota


class TestSavedModels(SavedModels):
    """Predictions of a saved model, on the scene of training and on others."""


@pytest.mark.slow
def test_probabilities_in_tiles_are_those_of_the_whole_scene(paper, plots, tmp_path):
    _, selected = trained_on_plota(paper, plots, tmp_path / "out")
    found = []
    for tile in ("0", "16"):
        classes, _ = predicted(paper, plots, tmp_path / "out", "plota", selected, "--probabilities", "--tile", tile)
        (path,) = tmp_path.glob("out/*/plota/predictions/*/probabilities.npy")
        found.append(np.load(str(path)))
        np.testing.assert_array_equal(found[-1].argmax(axis=2) + 1, classes)
    np.testing.assert_allclose(found[1].astype(float), found[0].astype(float), atol=2e-3)
