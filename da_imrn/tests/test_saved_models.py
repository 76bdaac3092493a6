"""What a saved model brings; the first test is shared by all papers."""

import h5py
import numpy as np
import pytest

from contracts.bad_input import fails
from contracts.saved_models import SavedModels, predicted, trained_on_plota, words_for
from da_imrn import experiments
from da_imrn.prediction import predict_scene
from da_imrn.weights import read_description, read_weights, write_weights


class TestSavedModels(SavedModels):
    """Predictions of a saved model, on the scene of training and on others."""


@pytest.mark.slow
def test_a_saved_model_is_a_file_of_keras_weights_and_a_description(paper, plots, tmp_path, capsys):
    folder, selected = trained_on_plota(paper, plots, tmp_path / "out")
    described = read_description(selected)
    assert described.arrays == {} and described.config["network"]["strides"] == [16]
    network = experiments.network_of(described.config, described.protocol, 64, 4)
    network.load_weights(str(selected))
    expected = [array.copy() for array in network.get_weights()]
    network.set_weights([0 * array for array in expected])
    read_weights(selected, network)
    assert all(np.array_equal(*pair) for pair in zip(expected, network.get_weights()))
    by_hand = predict_scene(network, plots.cubes["plotb"], 4)
    found, _ = predicted(paper, plots, tmp_path / "out", "plotb", selected)
    np.testing.assert_array_equal(found, by_hand)

    # weights alone, as older versions kept them
    write_weights(tmp_path / "bare.hdf5", network)
    assert read_description(tmp_path / "bare.hdf5") is None
    lean = [word for override in paper.lean for word in ("--set", override)]
    capsys.readouterr()
    found, files = predicted(paper, plots, tmp_path / "out", "plota", tmp_path / "bare.hdf5", *lean)
    assert "bare.hdf5 holds weights alone" in capsys.readouterr().out and "split.npz" in files
    np.testing.assert_array_equal(found, np.load(str(folder / "prediction.npy")))

    def refused(expected):
        words = ["predict", *words_for("plota", plots, tmp_path, "--weights", str(selected))]
        fails(paper, capsys, words, str(selected), expected)

    with h5py.File(str(selected), "r+") as file:
        text = bytes(file["saved_model/description"][()].tobytes())
        del file["saved_model/description"]
        file["saved_model/description"] = np.frombuffer(text.replace(b'"da-imrn"', b'"apdclnn"'), np.uint8)
    refused("is a model of the paper apdclnn, not of da-imrn")
    with h5py.File(str(selected), "r+") as file:
        del file["saved_model/description"]
        file["saved_model/description"] = np.frombuffer(text[:-5], np.uint8)
    refused("its description is damaged")
    with h5py.File(str(selected), "r+") as file:
        del file["saved_model/description"]
        file["saved_model/description"] = h5py.ExternalLink(str(tmp_path / "bare.hdf5"), "/")
    refused("is not a readable file of Keras weights")
    with h5py.File(str(selected), "r+") as file:
        del file["saved_model/description"]
        file["saved_model"].create_dataset("description", (1 << 40,), np.uint8, chunks=(1 << 20,))
    refused("claims more than")
