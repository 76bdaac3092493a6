# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""`predict`: a scene and a file of weights → network → every pixel's class → maps."""

from pathlib import Path

import numpy as np
import torch

from shared_data.errors import settings_of
from shared_data.full_scene import padded_shape, standardise_and_pad
from shared_data.mapped import is_mapped, temporary_array
from shared_data.paper_cli import Outcome, Request
from shared_data.run_outputs import write_prediction
from simplecv.core.checkpoint_file import load_model_state_dict_from_ckpt
from simplecv.errors import CheckpointError
from simplecv.module.model_builder import make_model
from simplecv.util.device import select_device

from .config import resolve
from .encoder_decoder import EncoderDecoder
from .prediction import predict_scene
from .tiles import check_tile, predict_tiled
from .train import PAPER, decisions_of, draw_split


def predict(request: Request, weights: Path) -> Outcome:
    """Classify a scene with stored weights and draw it beside the request's split.

    Checkpoints of the release load too. Writes results/<paper>/<experiment>/predictions/<name of the weights>/.
    Raises: SettingsError for tiles of a side that the network cannot take; CheckpointError.
    """
    if request.tile:
        with settings_of("--tile"):
            check_tile(request.tile)
    config, loaded = resolve(request)
    split = draw_split(config, loaded, request)
    device = select_device(request.device)
    network = make_model(config["model"], strict=True).to(device)
    try:
        network.load_state_dict(load_model_state_dict_from_ckpt(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            "%s does not fit the network of %s: %s" % (weights, request.experiment, reason)
        ) from error
    fitted = {"scene": None, "train": split.train}[decisions_of(config, request).normalisation]
    height, width = loaded.ground_truth.shape
    if request.tile:
        scene = _standardised(loaded.cube, fitted)
        prediction = predict_tiled(network, scene, height, width, request.tile)
    else:
        scene = standardise_and_pad(loaded.cube, EncoderDecoder.STRIDE, fitted)
        prediction = predict_scene(network, torch.from_numpy(scene)[None].to(device), height, width)
    folder = request.out / PAPER / request.experiment / "predictions" / weights.stem
    title = "%s · %s · %s" % (PAPER.upper(), loaded.scene.title, weights.name)
    write_prediction(folder, prediction, loaded, split, title)
    return Outcome(folder, None)


def _standardised(cube: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """(B, H', W') the scene as the network takes it; that of a memory-mapped cube lies in a file, too."""
    out = None
    if is_mapped(cube):
        out = temporary_array(padded_shape(cube.shape, EncoderDecoder.STRIDE), np.dtype(np.float32))
    return standardise_and_pad(cube, EncoderDecoder.STRIDE, fitted, out)
