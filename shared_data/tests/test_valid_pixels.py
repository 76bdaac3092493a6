"""Ignored pixels take no part in what is fitted on a whole scene: the same statistics as without them."""

import numpy as np
import pytest
import toy_method
from own_scenes import random_scene, write_scene

from shared_data.preprocessing import principal_components
from shared_data.preprocessing.standardise import band_statistics, standardise_and_pad
from shared_data.runs.pixels import resolve, training_image
from shared_data.runs.predict import predict
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Request
from shared_data.scenes import catalogue, own
from shared_data.scenes.loading import load_scene
from shared_data.splits.shared_protocols import draw_shared

CUBE, LABELS = random_scene()
IGNORED = np.zeros(LABELS.shape, bool)
IGNORED[-1, :10] = True
WITHOUT = CUBE[~IGNORED][:, None]  # (n, 1, B): a scene that has only the other pixels
HOLED = np.where(IGNORED[..., None], np.int16(-9999), CUBE)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(catalogue, "_ADDED", {})


@pytest.fixture(params=[".npy", ".mat"])
def image(request, tmp_path):
    """The scene with ten pixels of -9999, mapped and in memory."""
    path = write_scene(tmp_path, HOLED, LABELS, suffix=request.param, head="ignore_values = [-9999]")
    loaded = load_scene(own.register(path).slug)
    assert isinstance(loaded.cube, np.memmap) == (request.param == ".npy")
    return loaded.image


def test_band_statistics_are_those_without_the_pixels(image):
    found, expected = band_statistics(image.cube, None, image.valid), band_statistics(WITHOUT)
    assert np.allclose(found.mean, expected.mean, rtol=1e-12)
    assert np.allclose(found.deviation, expected.deviation, rtol=1e-12)
    assert not np.allclose(found.mean, band_statistics(HOLED).mean, rtol=1e-3)  # what they would be


def test_standardised_pixels_are_zero_where_ignored(image):
    standardised = standardise_and_pad(image.cube, 1, band_statistics(image.cube, None, image.valid))
    assert np.abs(standardised[:, IGNORED]).max() < 0.01  # the mean, rounded to an integer
    assert np.abs(standardised[:, ~IGNORED]).max() > 1


def test_training_pixels_count_whatever_is_valid(image):
    pixels = np.flatnonzero(~IGNORED)[:50]
    for found, expected in zip(band_statistics(image.cube, pixels, image.valid), band_statistics(CUBE, pixels)):
        assert np.allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", [None, 5])
def test_principal_components_are_those_without_the_pixels(image, seed):
    found = principal_components.fit(image.cube, None, 4, seed, image.valid)
    expected = principal_components.fit(WITHOUT, None, 4, seed)
    assert np.allclose(found.mean, expected.mean, rtol=1e-12)
    assert np.allclose(found.axes, expected.axes, rtol=1e-6, atol=1e-9)
    assert not np.allclose(found.axes, principal_components.fit(HOLED, None, 4, seed).axes, rtol=0.1)


def test_a_band_that_varies_only_where_ignored_is_constant(tmp_path):
    cube = CUBE.copy()
    cube[..., 1] = 5
    cube[IGNORED] = -9999
    for suffix in (".npy", ".mat"):
        path = write_scene(tmp_path, cube, LABELS, "plot" + suffix[1:], suffix, head="ignore_values = [-9999]")
        image = load_scene(own.register(path).slug).image
        assert band_statistics(image.cube, None, image.valid).deviation[1] == 0


def test_the_mask_reaches_training_also_without_the_spectra_of_test_pixels(tmp_path):
    cube, labels = random_scene(60, 50)
    cube[5, :10] = -9999
    own.register(write_scene(tmp_path, cube, labels, head="ignore_values = [-9999]"))
    request = Request("my-plot", "spatial-cv-masked", 1, None, False, "cpu", None, (), tmp_path, False)
    configuration, loaded = resolve(toy_method.METHOD, request._replace(fold=0))
    split = draw_shared(loaded, "spatial-cv-masked", 1, 0)
    image = training_image(loaded, configuration, split)
    assert image.cube is not loaded.cube and np.array_equal(image.valid, loaded.valid)
    assert loaded.valid[split.test // 50, split.test % 50].all()


def test_ignored_pixels_are_predicted_as_no_class(tmp_path):
    own.register(write_scene(tmp_path, HOLED, LABELS, head="ignore_values = [-9999]"))
    request = Request("my-plot", "paper", 1, None, False, "cpu", None, (), tmp_path / "out", False)
    outcome = reproduce(toy_method.METHOD, request)
    prediction = np.load(str(outcome.directory / "prediction.npy"))
    assert np.array_equal(prediction == 0, IGNORED)
    weights = outcome.directory / "checkpoints" / "selected.json"
    method = toy_method.METHOD._replace(load=lambda _path, _device, bare: toy_method.MostFrequent(bare(), 1))
    found = predict(method, request, weights)
    assert np.array_equal(np.load(str(found.directory / "prediction.npy")), np.where(IGNORED, 0, 1))
