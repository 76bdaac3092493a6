"""What a saved model brings; the first test is shared by all papers."""

import json

import numpy as np
import pytest

from apdclnn import preprocessing
from apdclnn.gabor import bank, response
from apdclnn.predict import load, network_of
from apdclnn.prediction import predict_scene
from contracts.bad_input import fails
from contracts.saved_models import SavedModels, predicted, trained_on_plota, words_for
from shared_data.errors import CheckpointError
from shared_data.runs import npz_checkpoint
from shared_data.runs.model_file import from_content


class TestSavedModels(SavedModels):
    """Predictions of a saved model, on the scene of training and on others."""


def features_by_hand(cube, arrays):
    """Components and Gabor features of a scene from a model's arrays."""
    lowest, highest = arrays["range"]
    between = (cube.astype(np.float32) - np.float32(lowest)) / np.float32(highest - lowest)
    responses = np.concatenate([response(between, one).reshape(1600, 64) for one in bank([0.5])], axis=1)
    gabor = (responses - arrays["gabor_mean"]) @ arrays["gabor_weights"]
    return (between.reshape(1600, 64) - arrays["mean"]) @ arrays["axes"], gabor


@pytest.mark.stack_independent
@pytest.mark.slow
def test_another_scene_is_given_the_statistics_of_training(paper, plots, tmp_path):
    _, selected = trained_on_plota(paper, plots, tmp_path / "out")
    content = npz_checkpoint.read(selected)
    model = from_content(content, selected)
    cube = plots.cubes["plota"]
    assert model.arrays["range"].tolist() == [cube.min(), cube.max()]
    fitted = preprocessing.from_arrays(model.arrays, model.config, 64)
    other = plots.cubes["plotb"]
    features = fitted.apply(other, model.config, tmp_path / "cache")
    for found, expected in zip(features, features_by_hand(other, model.arrays)):
        np.testing.assert_allclose(found.reshape(1600, 3), expected, rtol=0, atol=2e-3)
    network = network_of(features, model.config, 4, "/cpu:0", 1)
    network.set_numbers(content["weights"])
    found, _ = predicted(paper, plots, tmp_path / "out", "plotb", selected)
    np.testing.assert_array_equal(found, predict_scene(network, 40, 40))
    _, own = preprocessing.fit(other, model.config, None, tmp_path / "cache")
    assert not np.allclose(own.components, features.components, atol=0.1)
    assert not np.allclose(own.gabor, features.gabor, atol=0.1)


@pytest.mark.slow
def test_weights_alone_and_files_that_do_not_fit(paper, plots, tmp_path, capsys):
    folder, selected = trained_on_plota(paper, plots, tmp_path / "out")
    content = npz_checkpoint.read(selected)
    described = json.loads(content["description"])
    path = tmp_path / "other.npz"

    def refused(expected, **changes):
        npz_checkpoint.write(path, dict(content, **changes))
        words = ["predict", *words_for("plota", plots, tmp_path / "out", "--weights", str(path))]
        fails(paper, capsys, words, str(path), expected)

    def with_description(**changes):
        return {"description": json.dumps(dict(described, **changes))}

    weights = dict(content["weights"])
    values = weights.pop("classes/W")
    refused("1 missing (classes/W)", weights=weights)
    refused("1 of another shape (classes/W of shape (2,)", weights=dict(weights, **{"classes/W": np.ones(2)}))
    refused("is a model of the paper ssdgl, not of apdclnn", **with_description(paper="ssdgl"))
    refused("its description is damaged", **with_description(bands=0))
    arrays = dict(content["arrays"])
    refused("the array 'gabor_mean' has the shape (2,), not (832)", arrays=dict(arrays, gabor_mean=np.ones(2)))
    refused("no array of finite numbers", arrays=dict(arrays, range=np.array([0, np.inf])))

    npz_checkpoint.write(path, {"weights": dict(weights, **{"classes/W": values})})
    with pytest.raises(CheckpointError, match=r"other\.npz holds weights alone"):
        load(path, "cpu")
    lean = [word for override in paper.lean for word in ("--set", override)]
    capsys.readouterr()
    found, files = predicted(paper, plots, tmp_path / "out", "plota", path, *lean)
    assert "other.npz holds weights alone" in capsys.readouterr().out and "split.npz" in files
    np.testing.assert_array_equal(found, np.load(str(folder / "prediction.npy")))
