"""The whole scene in one forward pass."""

import numpy as np
import torch
from torch import Tensor, nn


@torch.no_grad()
def predict_scene(network: nn.Module, x: Tensor, height: int, width: int) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8, from the padded scene x (1, B, H', W').

    The network is put into evaluation mode and back. The largest logit decides; a softmax would not change it.
    """
    training = network.training
    network.eval()
    classes = network(x)[0].argmax(dim=0).add_(1)
    network.train(training)
    return classes[:height, :width].to(torch.uint8).cpu().numpy()
