"""Logits and classes of any pixels, and classes of the whole scene, in bounded memory."""

import numpy as np
import torch
from torch import Tensor, nn

from a2s2k_resnet.patches import PatchGatherer

BATCH_CPU, BATCH_GPU = 32, 1024  # patches at once; on a CPU more are no faster and take more memory


@torch.no_grad()
def pixel_logits(network: nn.Module, gatherer: PatchGatherer, pixels: Tensor, batch: int = 0) -> Tensor:
    """Logits (N, K) of flat C-order pixel indices (N) int64, in their order, on the gatherer's device.

    batch: patches at once, 0 for the device's default. The network is put into evaluation mode and back.
    """
    batch = batch or (BATCH_GPU if gatherer.device.type == "cuda" else BATCH_CPU)
    training = network.training
    network.eval()
    logits = [network(gatherer(pixels[start : start + batch])) for start in range(0, pixels.numel(), batch)]
    network.train(training)
    return torch.cat(logits)


def predict_pixels(network: nn.Module, gatherer: PatchGatherer, indices: np.ndarray, batch: int = 0) -> np.ndarray:
    """Classes 1..K of flat C-order pixel indices, uint8, in their order; see `pixel_logits`."""
    pixels = torch.from_numpy(np.ascontiguousarray(indices, dtype=np.int64))
    classes = pixel_logits(network, gatherer, pixels, batch).argmax(dim=1) + 1
    return classes.to(torch.uint8).cpu().numpy()


def predict_scene(network: nn.Module, gatherer: PatchGatherer, batch: int = 0) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8, labelled or not."""
    pixels = np.arange(gatherer.height * gatherer.width)
    return predict_pixels(network, gatherer, pixels, batch).reshape(gatherer.height, gatherer.width)
