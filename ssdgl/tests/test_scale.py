"""A scene of Houston's size in a fresh process: what its evaluation takes at most."""

from unittest import mock

from contracts import scale
from contracts.marks import LONG
from ssdgl import config, train


def evaluate(loaded, out, _pixels):
    request = scale.request("houston", out, "paper")
    with mock.patch.object(config, "load_scene", return_value=loaded):
        train.prepare(request).predict()


@LONG
def test_a_scene_of_houstons_size(tmp_path):
    scale.check_houston(__file__, "ssdgl", tmp_path)


if __name__ == "__main__":
    scale.main(evaluate)
