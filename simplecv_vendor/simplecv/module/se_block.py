"""Squeeze-and-excitation (Hu et al., CVPR 2018)."""

import torch
from torch import nn


class GlobalAvgPool2D(nn.Module):
    """(N, C, H, W) to (N, C, 1, 1): the mean over the image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3), keepdim=True)


class SEBlock(nn.Module):
    """(N, C, H, W) to (N, C, H, W): every channel times a gate in 0..1 computed from all channel means."""

    def __init__(self, in_channels: int, ratio: int):
        super().__init__()
        hidden = in_channels // ratio
        self.gap = GlobalAvgPool2D()
        self.seq = nn.Sequential(
            nn.Linear(in_channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, in_channels), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.seq(self.gap(x).flatten(1))
        return x * gate[:, :, None, None]
