"""Scenes of Houston's size and of any size, each in a fresh process: what they take at most."""

from unittest import mock

import numpy as np

from apdclnn import training
from apdclnn.prediction import predict_pixels
from contracts import scale
from contracts.marks import LONG


def evaluate(loaded, out, pixels):
    """Of a memory-mapped scene the filters of one frequency instead of four: the others take time, not memory."""
    mapped = isinstance(loaded.cube, np.memmap)
    request = scale.request("houston", out, "paper", ["gabor.frequencies=[0.5]"] if mapped else [])
    with mock.patch.object(training, "load_scene", return_value=loaded):
        run = training.prepare(request, *training.resolve(request))
    predict_pixels(run.model, np.arange(pixels))


@LONG
def test_a_scene_of_houstons_size(tmp_path):
    scale.check_houston(__file__, "apdclnn", tmp_path, (1024, 3072))


@LONG
def test_a_scene_larger_than_its_share_of_memory(tmp_path):
    scale.check_mapped(__file__, "apdclnn", tmp_path, 1024)


if __name__ == "__main__":
    scale.main(evaluate)
