"""Scenes of Houston's size and of any size, each in a fresh process: what they take at most."""

from unittest import mock

import numpy as np

from a2s2k_resnet import experiments, method
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import predict_pixels
from a2s2k_resnet.preprocessing import preprocess, whitening_of
from contracts import scale
from contracts.marks import LONG


def evaluate(loaded, out, pixels):
    """Components fitted on the whole scene, as the release does, take more than those of the training pixels."""
    request = scale.request("indianpines", out, "released")
    with mock.patch.object(method, "load_scene", return_value=loaded):
        configuration, _ = method.resolve(request)
    labels = method.METHOD.labels(method.draw(loaded, configuration, request.seed), loaded.ground_truth)
    model = preprocess(loaded.image, labels, configuration, request.seed)
    network = experiments.network_of(model.config, model.protocol, model.bands, model.num_classes)
    gatherer = PatchGatherer(whitening_of(model).apply(loaded.cube), model.config["patch"]["side"])
    predict_pixels(network, gatherer, np.arange(pixels))


@LONG
def test_a_scene_of_houstons_size(tmp_path):
    scale.check_houston(__file__, "a2s2k", tmp_path, (5000, 15000))


@LONG
def test_a_scene_larger_than_its_share_of_memory(tmp_path):
    scale.check_mapped(__file__, "a2s2k", tmp_path, 3000)


if __name__ == "__main__":
    scale.main(evaluate)
