# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""A trained network: predict the classes of scenes, save to one file, load from it."""

from pathlib import Path
from typing import Callable, Dict, Optional

import numpy as np
import torch
from torch import Tensor, nn

from shared_data.errors import CheckpointError, settings_of
from shared_data.preprocessing.standardise import padded_shape
from shared_data.runs.memory import choose_tile
from shared_data.runs.method import Fitted, Report
from shared_data.runs.model_file import ModelFile, check_paper
from shared_data.runs.probabilities import of_logits, space_for
from shared_data.scenes.loading import SceneImage
from shared_data.scenes.mapped import is_mapped, temporary_array
from simplecv.module.model_builder import make_model
from simplecv.util.device import select_device

from .config import PAPER, restored
from .encoder_decoder import EncoderDecoder
from .preprocessing import standardised, statistics_of
from .saved_model import load_weights, read_model, write_model
from .tiles import Window, check_tile, logits_of_windows, predict_tiled
from .torch_run import evaluating, free_memory_of, weights_of

_ROWS = 64  # of the scene whose logits leave the device at once
# for the memory of a prediction, in terms of the channels C of the first level; measured on a CPU with 96 and 128
_WHOLE = 11  # maps of C channels, of the scene's size, that are in memory together: 8.8 to 10.9 by network
_IN_TILES = 15000  # bytes per channel and pixel of a tile's side: 12,700 to 14,800 by network and side


class TrainedNetwork(Fitted):
    """A network with the band statistics of its training scene, by which every scene is standardised."""

    SUFFIX = ".pth"

    def __init__(self, network: nn.Module, model: ModelFile, report: Optional[Report] = None) -> None:
        self.network, self.model, self.report = network, model, report

    def predict(self, image: SceneImage, tile: int = 0) -> np.ndarray:
        """(H, W) uint8 classes 1..K of every pixel, in one forward pass, or in tiles of that side.

        Raises: SettingsError for tiles of a side that the network cannot take.
        """
        if tile:
            scene = self._scene_for_tiles(image, tile)
            return predict_tiled(self.network, scene, *image.shape, tile, progress=self.progress)
        return predict_scene(self.network, self._whole_scene(image), *image.shape)

    @torch.no_grad()
    def predict_probabilities(self, image: SceneImage, tile: int = 0, out: Optional[np.ndarray] = None) -> np.ndarray:
        """(H, W, K) float16 softmax values, in one forward pass, or in tiles of that side. Raises: as `predict`."""
        (height, width), out = image.shape, space_for(image.shape, self.model.num_classes, out)
        with evaluating(self.network):
            if tile:
                scene = self._scene_for_tiles(image, tile)
                blocks = logits_of_windows(self.network, scene, height, width, tile, progress=self.progress)
            else:
                logits = self.network(self._whole_scene(image))[0]
                rows = (Window(top, min(top + _ROWS, height), 0, width) for top in range(0, height, _ROWS))
                blocks = ((window, logits[:, window.rows, window.columns]) for window in rows)
            for window, logits in blocks:
                out[window.rows, window.columns] = of_logits(logits.permute(1, 2, 0).cpu().numpy())
        return out

    def tile_for(self, image: SceneImage) -> int:
        """The side of the tiles where the whole scene does not fit into the device's free memory, else 0."""
        bands, *sides = padded_shape(image.cube.shape, EncoderDecoder.STRIDE)
        channels = self.model.config["model"]["params"]["block_channels"][0]
        numbers_per_pixel = bands + _WHOLE * channels
        return choose_tile(
            whole=4 * numbers_per_pixel * sides[0] * sides[1],
            in_tiles=lambda side: _IN_TILES * channels * side,
            free=free_memory_of(next(self.network.parameters()).device),
        )

    def _whole_scene(self, image: SceneImage) -> Tensor:
        """(1, B, H', W') on the network's device."""
        scene = torch.from_numpy(standardised(self.model, image))[None]
        return scene.to(next(self.network.parameters()).device)

    def _scene_for_tiles(self, image: SceneImage, tile: int) -> np.ndarray:
        """(B, H', W') float32. Raises: SettingsError for tiles of a side that the network cannot take."""
        with settings_of("--tile"):
            check_tile(tile)
        out = None
        if is_mapped(image.cube):
            # the standardised scene is memory-mapped, too; its tiles go to the device
            out = temporary_array(padded_shape(image.cube.shape, EncoderDecoder.STRIDE), np.dtype(np.float32))
        return standardised(self.model, image, out)

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
