"""Logits and classes of any pixels, and classes of the whole scene, in bounded memory."""

from typing import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from a2s2k_resnet.patches import PatchGatherer
from shared_data.runs.probabilities import of_logits
from shared_data.runs.progress import OpenProgress, silent

BATCH_CPU, BATCH_GPU = 32, 1024  # patches per batch; on a CPU more are no faster and take more memory


@torch.no_grad()
def pixel_logits(network: nn.Module, gatherer: PatchGatherer, pixels: Tensor, batch: int = 0) -> Tensor:
    """Logits (N, K) of flat C-order pixel indices (N) int64, in their order, on the gatherer's device.

    batch: patches at once, 0 for the device's default. The network is put into evaluation mode and back.
    """
    return torch.cat(list(_logits_of_batches(network, gatherer, pixels, batch)))


def _logits_of_batches(
    network: nn.Module, gatherer: PatchGatherer, pixels: Tensor, batch: int, progress: OpenProgress = silent
) -> Iterator[Tensor]:
    batch = batch or (BATCH_GPU if gatherer.device.type == "cuda" else BATCH_CPU)
    training = network.training
    network.eval()
    starts = range(0, pixels.numel(), batch)
    with progress(len(starts), "batch") as shown:
        for start in starts:
            yield network(gatherer(pixels[start : start + batch]))
            shown.update()
    network.train(training)


@torch.no_grad()
def predict_pixels(
    network: nn.Module, gatherer: PatchGatherer, indices: np.ndarray, batch: int = 0, progress: OpenProgress = silent
) -> np.ndarray:
    """Classes 1..K of flat C-order pixel indices, uint8, in their order; see `pixel_logits`.

    Only a batch's logits are in memory, because those of all pixels might not fit.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(indices, dtype=np.int64))
    batches = _logits_of_batches(network, gatherer, pixels, batch, progress)
    classes = torch.cat([(logits.argmax(dim=1) + 1).to(torch.uint8) for logits in batches])
    return classes.cpu().numpy()


@torch.no_grad()
def scene_probabilities(
    network: nn.Module, gatherer: PatchGatherer, out: np.ndarray, batch: int = 0, progress: OpenProgress = silent
) -> None:
    """Fill `out`, (H, W, K) float16, with the softmax of every pixel's logits, batch by batch."""
    values, start = out.reshape(-1, out.shape[-1]), 0
    for logits in _logits_of_batches(network, gatherer, torch.arange(len(values)), batch, progress):
        values[start : start + len(logits)] = of_logits(logits.cpu().numpy())
        start += len(logits)


def predict_scene(
    network: nn.Module, gatherer: PatchGatherer, batch: int = 0, progress: OpenProgress = silent
) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8, labelled or not."""
    pixels = np.arange(gatherer.height * gatherer.width)
    return predict_pixels(network, gatherer, pixels, batch, progress).reshape(gatherer.height, gatherer.width)
