"""RSSGL as a `Method`, for `reproduce`, `audit` and `predict`."""

import numpy as np

from rssgl.config import PAPER, resolve, scene_of
from rssgl.predict import load
from rssgl.preprocessing import inputs, preprocess
from rssgl.split import draw_release_split
from rssgl.torch_run import environment_of, peak_gpu_mb
from rssgl.train import fit
from shared_data.runs.method import Draw, Method
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import LoadedScene


def draw(loaded: LoadedScene, configuration: Configuration, seed: int) -> Draw:
    """The release's draw, which is the same in every run: its seed is the configuration's, not the run's.

    Raises: SplitError where a class has too few pixels.
    """
    settings, share = configuration.settings["split"], configuration.decisions.validation_share
    return Draw(draw_release_split(loaded, settings["ratio"], settings["minimum"], settings["seed"], share))


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
