"""The joint attention of RSSGL: a spectral gate and a spatial gate on the same features, side by side."""

from typing import Generator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rssgl.stages import STATISTICS, Local, Moments, Stages, Statistics

RATIO = 16  # of the channel attention's bottleneck


class ChannelAttention(nn.Module):
    """Spectral gate (N, C, 1, 1): a shared bottleneck on the global average and the global maximum, added.

    The bottleneck has C // RATIO channels, a ReLU between the two 1×1 convolutions and a sigmoid after them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // RATIO, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // RATIO, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.of_pooled(x.mean(dim=(2, 3), keepdim=True), torch.amax(x, dim=(2, 3), keepdim=True))

    def of_pooled(self, average: Tensor, maximum: Tensor) -> Tensor:
        """The gate from average and maximum, each (N, C, 1, 1)."""
        return torch.sigmoid(self._bottleneck(average) + self._bottleneck(maximum))

    def _bottleneck(self, pooled: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(pooled)))

    def gate_stages(self) -> Generator[Statistics, Moments, Tensor]:
        """The stages of the gate: request the map's statistics, return its gate."""
        whole = yield STATISTICS
        pooled = (values.to(self.fc1.weight.dtype).view(1, -1, 1, 1) for values in (whole.mean, whole.maximum))
        return self.of_pooled(*pooled)


class SpatialAttention(nn.Module):
    """Spatial gate (N, 1, H, W) in 0..1: a 7×7 convolution over the channel mean and the channel maximum, a ReLU."""

    REACH, REASON = 3, "half the 7×7 kernel of the spatial attention"

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv1(torch.cat([x.mean(dim=1, keepdim=True), x.max(dim=1, keepdim=True)[0]], dim=1))
        return torch.sigmoid(z.relu())


class JointAttention(nn.Module):
    """[x + x·ca(x), x + x·sa(x)]: C channels become 2·C, the spectral half first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ca = ChannelAttention(channels)
        self.sa = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        return self._gated(x, self.ca(x))

    def _gated(self, x: Tensor, spectral_gate: Tensor) -> Tensor:
        return torch.cat([torch.addcmul(x, x, spectral_gate), torch.addcmul(x, x, self.sa(x))], dim=1)

    def stages(self) -> Stages:
        """The stages: the spectral gate needs statistics of the map, the spatial one a neighbourhood of the pixel."""
        gate = yield from self.ca.gate_stages()
        yield Local(lambda x: self._gated(x, gate), self.sa.REACH, self.sa.REASON)
