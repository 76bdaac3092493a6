# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""Gradients of a convolution outside of autograd, for recurrences that write out their backward pass."""

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

try:
    convolution_backward = torch.ops.aten.convolution_backward
except (AttributeError, RuntimeError):  # PyTorch before 1.11 offers no such call
    convolution_backward = None


def convolution_gradients(grad: Tensor, x: Tensor, weight: Tensor) -> Tuple[Tensor, Tensor]:
    """Gradients of a bias-free, same-size conv2d(x, weight) with respect to x and weight, in one call if possible."""
    padding = [side // 2 for side in weight.shape[2:]]
    if convolution_backward is not None:
        return convolution_backward(
            grad, x, weight, None, [1, 1], padding, [1, 1], False, [0, 0], 1, [True, True, False]
        )[:2]
    with torch.enable_grad():  # differentiate a second forward pass
        x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
        output = F.conv2d(x, weight, padding=padding)
    return torch.autograd.grad(output, (x, weight), grad)
