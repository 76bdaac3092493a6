"""Joint attention: a spectral gate and a spatial gate on the same features, side by side."""

from typing import Callable

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Spectral gate (N, C, 1, 1): a shared bottleneck on the global average and the global maximum, added.

    ratio: the bottleneck has C // ratio channels; inner, gate: the activations between and after the two 1×1
    convolutions.
    """

    def __init__(self, channels: int, ratio: int, inner: Callable, gate: Callable) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // ratio, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // ratio, channels, 1, bias=False)
        self.inner, self.gate = inner, gate

    def forward(self, x: Tensor) -> Tensor:
        average, maximum = x.mean(dim=(2, 3), keepdim=True), torch.amax(x, dim=(2, 3), keepdim=True)
        return self.gate(self._bottleneck(average) + self._bottleneck(maximum))

    def _bottleneck(self, pooled: Tensor) -> Tensor:
        return self.fc2(self.inner(self.fc1(pooled)))


class SpatialAttention(nn.Module):
    """Spatial gate (N, 1, H, W) in 0..1: a 7×7 convolution over the channel mean and the channel maximum.

    rectified: apply a ReLU before the sigmoid.
    """

    def __init__(self, rectified: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv1(torch.cat([x.mean(dim=1, keepdim=True), x.max(dim=1, keepdim=True)[0]], dim=1))
        return torch.sigmoid(z.relu() if self.rectified else z)


class JointAttention(nn.Module):
    """[x + x·ca(x), x + x·sa(x)]: C channels become 2·C, the spectral half first."""

    def __init__(self, channels: int, ratio: int, inner: Callable, gate: Callable) -> None:
        super().__init__()
        self.ca = ChannelAttention(channels, ratio, inner, gate)
        self.sa = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([torch.addcmul(x, x, self.ca(x)), torch.addcmul(x, x, self.sa(x))], dim=1)
