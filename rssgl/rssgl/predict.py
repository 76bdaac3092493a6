# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""A trained network: predict the classes of scenes, save to one file, load from it."""

from pathlib import Path
from typing import Callable, Dict, Optional

import numpy as np
import torch
from torch import Tensor, nn

from shared_data.errors import CheckpointError, settings_of
from shared_data.preprocessing.standardise import padded_shape
from shared_data.runs.method import Fitted, Report
from shared_data.runs.model_file import ModelFile, check_paper
from shared_data.scenes.loading import SceneImage
from shared_data.scenes.mapped import is_mapped, temporary_array
from simplecv.module.model_builder import make_model
from simplecv.util.device import select_device

from .config import PAPER, restored
from .encoder_decoder import EncoderDecoder
from .preprocessing import standardised, statistics_of
from .saved_model import load_weights, read_model, write_model
from .tiles import check_tile, predict_tiled
from .torch_run import evaluating, weights_of


class TrainedNetwork(Fitted):
    """A network with the band statistics of its training scene, by which every scene is standardised."""

    SUFFIX = ".pth"

    def __init__(self, network: nn.Module, model: ModelFile, report: Optional[Report] = None) -> None:
        self.network, self.model, self.report = network, model, report

    def predict(self, image: SceneImage, tile: int = 0) -> np.ndarray:
        """(H, W) uint8 classes 1..K of every pixel, in one forward pass, or in tiles of that side.

        Raises: SettingsError for tiles of a side that the network cannot take.
        """
        height, width = image.shape
        if not tile:
            scene = torch.from_numpy(standardised(self.model, image))[None]
            return predict_scene(self.network, scene.to(next(self.network.parameters()).device), height, width)
        with settings_of("--tile"):
            check_tile(tile)
        out = None
        if is_mapped(image.cube):
            # the standardised scene is memory-mapped, too; its tiles go to the device
            out = temporary_array(padded_shape(image.cube.shape, EncoderDecoder.STRIDE), np.dtype(np.float32))
        return predict_tiled(self.network, standardised(self.model, image, out), height, width, tile)

    def save(self, path: Path) -> None:
        """Weights, configuration and band statistics. Raises: OSError where the file cannot be written."""
        write_model(path, self.network.state_dict(), self.model)

    def weights(self) -> Dict[str, np.ndarray]:
        """The state_dict as arrays."""
        return weights_of(self.network)


@torch.no_grad()
def predict_scene(network: nn.Module, x: Tensor, height: int, width: int) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8, from the padded scene x (1, B, H', W').

    The network is put into evaluation mode and back. The largest logit decides; a softmax would not change it.
    """
    with evaluating(network):
        classes = network(x)[0].argmax(dim=0).add_(1)
    return classes[:height, :width].to(torch.uint8).cpu().numpy()


def load(path: Path, device: str = "auto", bare: Optional[Callable[[], ModelFile]] = None) -> TrainedNetwork:
    """What `TrainedNetwork.save` wrote. bare: gives the model of a file that holds weights alone, such as a checkpoint
    of the release.

    Raises: CheckpointError where the file cannot be read or does not fit, or holds weights alone and no model is given;
    SettingsError for an invalid configuration.
    """
    weights, model = read_model(path)
    chosen = select_device(device)
    if model is not None:
        check_paper(model, PAPER, path)
        what = "the network of its own description"
    elif bare is not None:
        model = bare()
        what = "the network of " + model.experiment
    else:
        raise CheckpointError(
            "%s holds weights alone; classify with `predict` and a configuration, or give a file that a run has "
            "written." % path
        )
    with settings_of(str(path)):
        statistics_of(model)
        network = make_model(restored(model, str(path))["model"], strict=True)
    load_weights(network, weights, path, what)
    return TrainedNetwork(network.to(chosen), model)
