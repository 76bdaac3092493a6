"""Ignored pixels take no part in what a paper fits on a whole scene."""

import numpy as np

from shared_data.runs.method import Method
from shared_data.runs.pixels import draw_pixels, resolve
from shared_data.runs.request import Request


def check_statistics(method: Method, request: Request) -> None:
    """Of a protocol that fits on the whole scene: the arrays of `preprocess` do not depend on ignored pixels, and would
    without the mask.

    The pixels differ by their order alone, so that smallest and largest value stay, as with the mean spectrum.
    """
    configuration, loaded = resolve(method, request)
    draw = draw_pixels(method, loaded, configuration, request.seed)
    labels = method.labels(draw, loaded.ground_truth)
    valid = np.ones(loaded.ground_truth.shape, bool)
    valid[20:60, 30:50] = False
    other = loaded.cube.copy()
    other[~valid] = other[~valid][:, ::-1]
    images = [loaded.image._replace(cube=cube) for cube in (loaded.cube, other)]
    ignoring = [
        method.preprocess(image._replace(valid=valid), labels, configuration, request.seed).arrays for image in images
    ]
    whole = [method.preprocess(image, labels, configuration, request.seed).arrays for image in images]
    assert all(np.array_equal(ignoring[0][name], ignoring[1][name]) for name in whole[0])
    assert any(not np.allclose(whole[0][name], whole[1][name]) for name in whole[0])
