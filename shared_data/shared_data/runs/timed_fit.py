"""Time what a user waits for: `fit` and `predict` of a method, with all they do beside the steps of the network."""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

from shared_data.errors import SharedDataError
from shared_data.runs.method import Method, Run, seal
from shared_data.runs.pixels import draw_pixels, resolve, training_image
from shared_data.runs.request import Request
from shared_data.timing import seconds


class TimedFit(NamedTuple):
    """How many steps were trained; seconds of the training, of its steps, and of predicting the whole scene."""

    trained: int
    fit: float
    steps: float
    predict: float


def time_fit(method: Method, request: Request) -> TimedFit:
    """Train as many steps as the request allows, and predict once, in a temporary folder.

    Beside its steps, `fit` prepares the scene, validates and writes checkpoints.
    Raises: SharedDataError where a signal stopped the training; what the method raises.
    """
    configuration, loaded = resolve(method, request)
    draw = draw_pixels(method, loaded, configuration, request.seed)
    labels, _truth = seal(method, configuration, draw, loaded.ground_truth)
    image = training_image(loaded, configuration, draw.split)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        run = Run(Path(scratch), request.device)
        start = time.perf_counter()
        fitted = method.fit(image, labels, configuration, request.seed, run, steps=request.iterations)
        fit_s = time.perf_counter() - start
        if fitted is None:
            raise SharedDataError("stopped; the benchmark wrote nothing, and the same command starts it over.")
        predict_s = seconds(partial(fitted.predict, loaded.image))
    assert fitted.report is not None  # `fit` always sets it
    history = fitted.report.history
    return TimedFit(len(history.seconds), fit_s, sum(history.seconds), predict_s)
