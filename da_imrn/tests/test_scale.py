"""Scenes of Houston's size and of any size, each in a fresh process: what they take at most."""

from unittest import mock

from contracts import scale
from contracts.marks import LONG
from da_imrn import training
from da_imrn.patches import covering_corners, paste
from da_imrn.prediction import predict_patches


def evaluate(loaded, out, pixels):
    request = scale.request("indianpines", out, "paper", ["partition.accepted=[1,100000]"])
    with mock.patch.object(training, "load_scene", return_value=loaded):
        run = training.prepare(request, *training.resolve(request))
    shape = loaded.ground_truth.shape
    corners = covering_corners(shape[0], shape[1], run.patch)
    some = corners[: pixels // run.patch**2]
    paste(predict_patches(run.network, loaded.cube, some, run.patch), some, shape)


@LONG
def test_a_scene_of_houstons_size(tmp_path):
    scale.check_houston(__file__, "da-imrn", tmp_path, (5000, 15000))


@LONG
def test_a_scene_larger_than_its_share_of_memory(tmp_path):
    scale.check_mapped(__file__, "da-imrn", tmp_path, 5000)


if __name__ == "__main__":
    scale.main(evaluate)
