"""Probabilities as float16, and the file that `predict` writes them to."""

import errno
import json
import os

import numpy as np
import pytest
from toy_method import METHOD, MostFrequent

from shared_data.errors import RunDirectoryError, SettingsError
from shared_data.runs import probabilities
from shared_data.runs.predict import predict
from shared_data.runs.probabilities import of_logits, of_probabilities, space_for, write_probabilities
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene

STEP = 2.0**-11  # half the distance of float16 numbers below 1


def test_softmax_of_logits():
    logits = np.random.RandomState(0).normal(0, 5, (20, 30, 7)).astype(np.float32)
    found = of_logits(logits)
    assert found.dtype == np.float16
    expected = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=2 * STEP)
    np.testing.assert_array_equal(found.argmax(axis=2), logits.argmax(axis=2))


@pytest.mark.parametrize("winner", range(4))
def test_the_class_stays_the_largest_where_float16_cannot_tell(winner):
    logits = np.full((5, 4), 3.0, np.float32)
    logits[:, winner] = np.nextafter(np.float32(3), np.float32(4))
    found = of_logits(logits)
    assert (found.argmax(axis=1) == winner).all()
    assert (np.sort(found, axis=1)[:, -1] > np.sort(found, axis=1)[:, -2]).all()
    np.testing.assert_allclose(found, 0.25, atol=2 * STEP)


def test_extreme_logits_and_a_single_class():
    found = of_logits(np.array([[1e4, -1e4, 0], [0, 0, 1e4]], np.float32))
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(of_logits(np.zeros((3, 1), np.float32)), np.ones((3, 1)))
    np.testing.assert_array_equal(of_probabilities(np.array([[0.125, 0.875]])), [[0.125, 0.875]])


class Sloped(MostFrequent):
    """Logits that grow with the row for one class, and with the column for another."""

    logits = np.stack(np.broadcast_arrays(np.arange(128)[:, None] / 32, np.arange(96) / 32, 2.5), axis=2)

    def predict(self, image, tile=0):
        return (self.logits.argmax(axis=2) + 1).astype(np.uint8)

    def predict_probabilities(self, image, tile=0, out=None):
        out = space_for(image.shape, 3, out)
        out[...] = of_logits(self.logits)
        return out


class Model:
    num_classes = 3


def test_file_is_the_prediction_and_invalid_pixels_have_neither(tmp_path, monkeypatch):
    monkeypatch.setattr(probabilities, "row_blocks", lambda values: [slice(0, 50), slice(50, 51), slice(51, 128)])
    image = load_scene("synthetic").image
    fitted = Sloped(Model, 1)
    classes = write_probabilities(tmp_path, fitted, image)
    np.testing.assert_array_equal(classes, fitted.predict(image))
    assert len(np.unique(classes)) == 3
    stored = np.load(str(tmp_path / "probabilities.npy"))
    np.testing.assert_array_equal(stored, fitted.predict_probabilities(image))
    assert os.listdir(str(tmp_path)) == ["probabilities.npy"]

    valid = np.random.RandomState(0).rand(*image.shape) < 0.9
    found = write_probabilities(tmp_path, fitted, image._replace(valid=valid))
    np.testing.assert_array_equal(found, np.where(valid, classes, 0))
    masked = np.load(str(tmp_path / "probabilities.npy"))
    assert np.isnan(masked[~valid]).all()
    np.testing.assert_array_equal(masked[valid], stored[valid])


def test_a_full_disk_is_one_sentence_and_leaves_no_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(RunDirectoryError, match="cannot be written: No space left"):
        write_probabilities(tmp_path / "new", Sloped(Model, 1), load_scene("synthetic").image)
    assert os.listdir(str(tmp_path / "new")) == []


def test_predict_writes_them_beside_the_map_where_asked(tmp_path):
    request = Request("synthetic", "paper", 1, None, False, "cpu", None, (), tmp_path, False)
    weights = tmp_path / "weights.json"
    weights.write_text(json.dumps({"winner": 3}))

    def load(path, device="cpu", bare=None):
        return MostFrequent(bare(), 3)

    method = METHOD._replace(load=load)
    folder = predict(method, request, weights).directory
    assert not (folder / "probabilities.npy").exists() and (folder / "prediction.json").is_file()
    assert predict(method, request, weights, probabilities=True).directory == folder
    np.testing.assert_array_equal(np.load(str(folder / "probabilities.npy"))[5, 5], np.arange(1, 10) == 3)
    assert (np.load(str(folder / "prediction.npy")) == 3).all()
    predict(method, request, weights)  # its map might be another one
    assert not (folder / "probabilities.npy").exists()


def test_a_method_without_probabilities_leaves_no_file(tmp_path):
    class Without(Sloped):
        def predict_probabilities(self, image, tile=0, out=None):
            raise SettingsError("it knows none.")

    with pytest.raises(SettingsError, match="knows none"):
        write_probabilities(tmp_path, Without(Model, 1), load_scene("synthetic").image)
    assert os.listdir(str(tmp_path)) == []
