# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""The whole scene in one forward pass."""

import contextlib
from typing import Iterator

import numpy as np
import torch
from torch import Tensor, nn


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Within the block the network is in evaluation mode."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


@torch.no_grad()
def predict_scene(network: nn.Module, x: Tensor, height: int, width: int) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8, from the padded scene x (1, B, H', W').

    The network is put into evaluation mode and back. The largest logit decides; a softmax would not change it.
    """
    with evaluating(network):
        classes = network(x)[0].argmax(dim=0).add_(1)
    return classes[:height, :width].to(torch.uint8).cpu().numpy()
