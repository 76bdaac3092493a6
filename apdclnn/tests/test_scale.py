"""Scenes of Houston's size and of any size, each in a fresh process: what they take at most."""

from unittest import mock

import numpy as np

from apdclnn import method
from apdclnn.predict import network_of
from apdclnn.prediction import predict_pixels
from apdclnn.preprocessing import fitted_and_features
from contracts import scale
from contracts.marks import LONG


def evaluate(loaded, out, pixels):
    """Of a memory-mapped scene the filters of one frequency instead of four: the others take time, not memory."""
    mapped = isinstance(loaded.cube, np.memmap)
    request = scale.request("houston", out, "paper", ["gabor.frequencies=[0.5]"] if mapped else [])
    with mock.patch.object(method, "load_scene", return_value=loaded):
        configuration, _ = method.resolve(request)
    labels = method.METHOD.labels(method.draw(loaded, configuration, request.seed), loaded.ground_truth)
    _, features = fitted_and_features(loaded.image, labels, configuration, out / "gabor")
    network = network_of(features, configuration.settings, loaded.scene.num_classes, "/cpu:0")
    predict_pixels(network, np.arange(pixels))


@LONG
def test_a_scene_of_houstons_size(tmp_path):
    scale.check_houston(__file__, "apdclnn", tmp_path, (1024, 3072))


@LONG
def test_a_scene_larger_than_its_share_of_memory(tmp_path):
    scale.check_mapped(__file__, "apdclnn", tmp_path, 1024)


if __name__ == "__main__":
    scale.main(evaluate)
