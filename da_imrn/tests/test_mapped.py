"""A memory-mapped scene trains and predicts as the same scene in memory, bit for bit: nothing is computed from it."""

import numpy as np
import pytest
from da_imrn_helpers import given

from contracts.scale import mapped_copy
from da_imrn.method import METHOD
from shared_data.scenes.loading import load_scene
from shared_data.scenes.mapped import is_mapped


def trained(request, loaded, folder):
    """Losses and weights after three steps, the map, and what is given for some pixels."""
    fitted = given(request, loaded).fit(folder, 3)
    losses = [entry["loss"] for entry in fitted.report.history.entries]
    given_for_pixels = METHOD.inputs(fitted.model, loaded.image, np.arange(0, 9999, 99))
    return [losses, *fitted.report.last_weights.values(), fitted.predict(loaded.image), given_for_pixels]


@pytest.mark.stack_independent  # numpy reads the patches
@pytest.mark.slow
def test_training_and_prediction(request_for, tmp_path):
    request, loaded = request_for(), load_scene("synthetic")
    mapped = mapped_copy(loaded, tmp_path)
    assert is_mapped(mapped.cube)
    found, expected = trained(request, mapped, tmp_path / "mapped"), trained(request, loaded, tmp_path / "held")
    assert len(found) == len(expected) > 3
    for one, other in zip(found, expected):
        assert np.array_equal(one, other)
