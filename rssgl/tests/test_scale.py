"""A scene of Houston's size in a fresh process: what its evaluation takes at most."""

from unittest import mock

from contracts import scale
from contracts.full_scene_runs import untrained
from contracts.marks import LONG
from rssgl import config
from rssgl.method import METHOD


def evaluate(loaded, out, _pixels):
    request = scale.request("pavia", out, "paper", ["scene=houston"])
    with mock.patch.object(config, "load_scene", return_value=loaded):
        untrained(METHOD, request).predict(loaded.image)


@LONG
def test_a_scene_of_houstons_size(tmp_path):
    scale.check_houston(__file__, "rssgl", tmp_path)


if __name__ == "__main__":
    scale.main(evaluate)
