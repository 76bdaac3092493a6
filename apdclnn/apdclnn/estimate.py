"""Estimate the duration of a run from one timed step and one timed batch of prediction."""

import time

import numpy as np

from apdclnn.model import Model
from apdclnn.prediction import BATCH, predict_pixels


def estimate(model: Model, pixels: np.ndarray, targets: np.ndarray, steps: int, scene_pixels: int) -> str:
    """A sentence for the user; the model is restored afterwards.

    pixels, targets: a mini-batch to time. steps: optimizer steps of the run. scene_pixels: H·W, to predict.
    """
    numbers = model.numbers()
    step_s = _second_call(lambda: model.train_on(pixels, targets))
    model.set_numbers(numbers)
    some = np.arange(min(BATCH, scene_pixels))
    map_s = _second_call(lambda: predict_pixels(model, some)) * scene_pixels / len(some)
    return "about %s: %d steps of %.2f s at most, and %s to classify all pixels" % (
        _duration(steps * step_s + map_s), steps, step_s, _duration(map_s),
    )  # fmt: skip


def _second_call(action) -> float:
    """Seconds; the first call of a graph also prepares it."""
    action()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _duration(seconds: float) -> str:
    return "%.0f min" % (seconds / 60) if seconds >= 120 else "%.0f s" % max(seconds, 1)
