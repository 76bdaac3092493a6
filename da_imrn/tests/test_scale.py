"""Scenes of Houston's size and of any size, each in a fresh process: what they take at most."""

from unittest import mock

import numpy as np

from contracts import scale
from contracts.marks import LONG
from da_imrn import experiments, method
from da_imrn.patches import MinibatchStream, covering_corners, paste, training_patches, validation_patches
from da_imrn.prediction import predict_patches


def evaluate(loaded, out, pixels):
    request = scale.request("indianpines", out, "paper", ["partition.accepted=[1,100000]"])
    with mock.patch.object(method, "load_scene", return_value=loaded):
        configuration, _ = method.resolve(request)
    labels = method.METHOD.labels(method.draw(loaded, configuration, request.seed), loaded.ground_truth)
    model = method.preprocess(loaded.image, labels, configuration, request.seed)
    network = experiments.network_of(model.config, model.protocol, model.bands, model.num_classes)
    patch = model.config["partition"]["patch"]
    training = training_patches(labels.windows, patch, np.random.RandomState(request.seed))
    MinibatchStream(loaded.cube, training, model.num_classes, 16, request.seed)
    validation_patches(labels.windows, patch)
    shape = loaded.ground_truth.shape
    corners = covering_corners(shape[0], shape[1], patch)
    some = corners[: pixels // patch**2]
    paste(predict_patches(network, loaded.cube, some, patch), some, shape)


@LONG
def test_a_scene_of_houstons_size(tmp_path):
    scale.check_houston(__file__, "da-imrn", tmp_path, (5000, 15000))


@LONG
def test_a_scene_larger_than_its_share_of_memory(tmp_path):
    scale.check_mapped(__file__, "da-imrn", tmp_path, 5000)


if __name__ == "__main__":
    scale.main(evaluate)
