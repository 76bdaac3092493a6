# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""The scene as one image for the network: every band standardised, zeros below and right."""

from typing import Optional

import numpy as np

from shared_data.errors import SettingsError
from shared_data.preprocessing.standardise import BandStatistics, band_statistics, standardise_and_pad
from shared_data.runs.model_file import ModelFile, checked_array, describe_model
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import SceneImage
from shared_data.splits.labels import Labels

from .config import PAPER
from .encoder_decoder import EncoderDecoder


def preprocess(image: SceneImage, labels: Optional[Labels], configuration: Configuration, _seed: int) -> ModelFile:
    """The model without weights: its arrays are `mean` and `deviation` (B) float64 of every band.

    They are taken over the whole scene, without pixels that are not valid, or over the training pixels, as the
    protocol says. labels: None for a scene
    without. Raises: SettingsError where training pixels are needed, and there are none.
    """
    pixels = None
    if configuration.decisions.normalisation == "train":
        if labels is None:
            raise SettingsError(
                "%s: under this protocol bands are standardised by training pixels, and a scene without labels has "
                "none; give a file that a run has written, or --protocol released." % configuration.experiment
            )
        pixels = labels.train_pixels
    statistics = band_statistics(image.cube, pixels, image.valid)
    return describe_model(PAPER, configuration, image, labels, statistics._asdict())


def statistics_of(model: ModelFile) -> BandStatistics:
    """Those that `preprocess` found. Raises: ValueError for an array that is missing or does not fit."""
    return BandStatistics(*(checked_array(model.arrays, name, (model.bands,)) for name in BandStatistics._fields))


def standardised(model: ModelFile, image: SceneImage, out: Optional[np.ndarray] = None) -> np.ndarray:
    """(B, H', W') float32 with sides that are multiples of 16, by the statistics of the model's scene.

    out: an array for the result, for example a memory-mapped one.
    """
    return standardise_and_pad(image.cube, EncoderDecoder.STRIDE, statistics_of(model), out)


def inputs(model: ModelFile, image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    """(n, B) float32: the standardised spectra at flat pixel indices."""
    height, width = image.shape
    scene = standardised(model, image)[:, :height, :width]
    return scene.reshape(len(scene), -1)[:, pixels].T
