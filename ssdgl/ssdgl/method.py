"""SSDGL as a `Method`, for `reproduce`, `audit` and `predict`."""

import numpy as np

from shared_data.runs.method import Draw, Method
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import draw_per_class, training_counts
from ssdgl.config import PAPER, resolve, scene_of
from ssdgl.predict import load
from ssdgl.preprocessing import inputs, preprocess
from ssdgl.torch_run import environment_of, peak_gpu_mb
from ssdgl.train import fit


def draw(loaded: LoadedScene, configuration: Configuration, seed: int) -> Draw:
    """The release's class-wise draw from the run's seed.

    Raises: SplitError where a class has too few pixels.
    """
    settings = configuration.settings["split"]
    counts = training_counts(loaded.ground_truth, settings["ratio"], settings["minimum"], loaded.scene.class_names)
    return Draw(draw_per_class(loaded.ground_truth, counts, seed))


def receptive_field(_configuration: Configuration, mask: np.ndarray) -> np.ndarray:
    """The receptive field is the whole image, because group normalisation and attention take means over it."""
    return np.full(mask.shape, mask.any())


METHOD = Method(
    slug=PAPER,
    resolve=resolve,
    scene_of=scene_of,
    draw=draw,
    preprocess=preprocess,
    fit=fit,
    load=load,
    inputs=inputs,
    receptive_field=receptive_field,
    environment=environment_of,
    peak_gpu_mb=peak_gpu_mb,
)
