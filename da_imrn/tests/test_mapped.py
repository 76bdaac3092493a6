"""A memory-mapped scene trains and predicts as the same scene in memory, bit for bit: nothing is computed from it."""

from unittest import mock

import numpy as np

from contracts.scale import mapped_copy
from da_imrn import training
from da_imrn.keras_stack import keras
from da_imrn.patches import covering_corners
from da_imrn.prediction import predict_patches
from shared_data.scenes.loading import load_scene
from shared_data.scenes.mapped import is_mapped


def trained(request, loaded):
    """The classes of every tenth patch, and what is given for some pixels, after three steps."""
    keras.backend.clear_session()
    with mock.patch.object(training, "load_scene", return_value=loaded):
        run = training.prepare(request, *training.resolve(request))
    run.begin_epoch()
    losses = [run.train_on(batch) for _, batch in zip(range(3), run.stream)]
    corners = covering_corners(128, 96, run.patch)[::10]
    return losses, predict_patches(run.network, run.loaded.cube, corners, run.patch), run.inputs(np.arange(0, 9999, 99))


def test_training_and_prediction(request_for, tmp_path):
    request, loaded = request_for(), load_scene("synthetic")
    mapped = mapped_copy(loaded, tmp_path)
    assert is_mapped(mapped.cube)
    for found, expected in zip(trained(request, mapped), trained(request, loaded)):
        assert np.array_equal(found, expected)
