# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""`predict`: a scene, file of weights → network and band statistics → every pixel's class → maps."""

from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np
import torch
from torch import nn

from shared_data.errors import settings_of
from shared_data.preprocessing.standardise import BandStatistics, band_statistics, padded_shape, standardise_and_pad
from shared_data.runs.model_file import ModelFile, announce, check_bands, check_paper
from shared_data.runs.outputs import write_classified
from shared_data.runs.request import Outcome, Request
from shared_data.scenes.loading import LoadedScene
from shared_data.scenes.mapped import is_mapped, temporary_array
from shared_data.splits.draws import Split
from simplecv.module.model_builder import make_model
from simplecv.util.device import select_device

from .config import load_scene_of, resolve, restored
from .encoder_decoder import EncoderDecoder
from .prediction import predict_scene
from .saved_model import load_weights, read_model, statistics_of
from .tiles import check_tile, predict_tiled
from .train import PAPER, decisions_of, draw_split


class _Prepared(NamedTuple):
    """What turns a scene into a map. split: the request's, with bare weights on a scene with labels."""

    loaded: LoadedScene
    statistics: BandStatistics
    network: nn.Module
    split: Optional[Split] = None


def predict(request: Request, weights: Path) -> Outcome:
    """Classify every pixel of a scene, labelled or not.

    A model that a run has written brings its configuration, band statistics and classes; protocol, seed and overrides
    of the request do not count. Bare weights, such as a checkpoint of the release, take the request's, and statistics
    of its scene.
    Writes results/<paper>/<experiment>/predictions/<scene>-<name of the weights>-<hash>/.
    Raises: SettingsError for tiles of a side that the network cannot take; CheckpointError where the file cannot be
    read or does not fit; what `reproduce` raises.
    """
    if request.tile:
        with settings_of("--tile"):
            check_tile(request.tile)
    state, model = read_model(weights)
    device = select_device(request.device)
    if model is None:
        prepared, what = _of_request(request), "the network of " + request.experiment
    else:
        prepared, what = _of_model(request, model, weights), "the network of its own description"
    load_weights(prepared.network, state, weights, what)
    announce(model, request, weights)
    prediction = _classes(prepared, device, request.tile)
    return write_classified(PAPER, request, weights, prediction, prepared.loaded, model, prepared.split)


def _of_model(request: Request, model: ModelFile, weights: Path) -> _Prepared:
    check_paper(model, PAPER, weights)
    loaded = load_scene_of(request)
    check_bands(model, loaded.scene, weights)
    with settings_of(str(weights)):
        config = restored(model, str(weights))
        return _Prepared(loaded, statistics_of(model), make_model(config["model"], strict=True))


def _of_request(request: Request) -> _Prepared:
    config, loaded = resolve(request, labelled=False)
    split = draw_split(config, loaded, request) if loaded.is_labelled else None
    fitted = None
    if decisions_of(config, request).normalisation == "train":
        with settings_of(request.experiment):
            if split is None:
                raise ValueError(
                    "under this protocol bands are standardised by training pixels, and a scene without labels has "
                    "none; give a file that a run has written, or --protocol released"
                )
        fitted = split.train
    return _Prepared(loaded, band_statistics(loaded.cube, fitted), make_model(config["model"], strict=True), split)


def _classes(prepared: _Prepared, device: torch.device, tile: int) -> np.ndarray:
    """(H, W) uint8, in one forward pass, or in tiles of that side."""
    cube, network = prepared.loaded.cube, prepared.network.to(device)
    height, width, stride, out = cube.shape[0], cube.shape[1], EncoderDecoder.STRIDE, None
    if tile and is_mapped(cube):
        # the standardised scene lies in a file, too; its tiles go to the device
        out = temporary_array(padded_shape(cube.shape, stride), np.dtype(np.float32))
    scene = standardise_and_pad(cube, stride, prepared.statistics, out)
    if tile:
        return predict_tiled(network, scene, height, width, tile)
    return predict_scene(network, torch.from_numpy(scene)[None].to(device), height, width)
