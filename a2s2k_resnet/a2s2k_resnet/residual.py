"""Residual blocks: along the bands with kernel (1,1,7), over the pixels with (3,3,1); those of A2S2K with ECA.

Both kinds of block work on 4-D features (see `folded_conv`); only their convolution differs.
"""

from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2s2k_resnet.batch_norm import BatchNorm
from a2s2k_resnet.folded_conv import SpatialConv, SpectralConv

PLACES = ("first", "middle", "last")


def spectral_conv(kernels: int) -> SpectralConv:
    """Kernel (1,1,7) that keeps the number of bands."""
    return SpectralConv(kernels, kernels, (1, 1, 7), padding=(0, 0, 3))


def spatial_conv(kernels: int) -> SpatialConv:
    """Kernel (3,3,1) that keeps the size of the patch."""
    return SpatialConv(kernels, kernels, (3, 3, 1), padding=(1, 1, 0))


class EfficientChannelAttention(nn.Module):
    """A gate per channel in 0..1 from the channel averages of its neighbours: (N, C, ., .) to (N, C, 1, 1).

    The release convolves the averages as an image of height 1 with a 3×3 kernel: only the kernel's middle row touches
    values other than padding. The outer rows remain parameters with a gradient of zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        # sum, then divide (N, C) numbers: the backward pass of `mean` would divide a whole map
        average = (x.sum(dim=(2, 3)) / (x.shape[2] * x.shape[3])).unsqueeze(1)
        gate = torch.sigmoid(F.conv1d(average, self.conv.weight[:, :, 1], padding=1))
        return gate.transpose(1, 2).unsqueeze(3)


class AttentionBlock(nn.Module):
    """A2S2K's block: pre-activation, two convolutions, channel attention, identity.

    convolution: constructor of a convolution from its number of kernels. place: of the block among the network's four.
        The `first` has no
    pre-activation and normalises before the attention; the `last` normalises its sum; both use `bn2` for it. In a
    `middle` block `bn2` is never used, as in the release.
    """

    def __init__(self, convolution: Callable[[int], nn.Module], place: str, kernels: int) -> None:
        super().__init__()
        if place not in PLACES:
            raise ValueError("unknown place '%s' of a block; there are: %s" % (place, ", ".join(PLACES)))
        self.place = place
        self.conv1 = nn.Sequential(convolution(kernels), nn.ReLU(inplace=True))
        self.conv2 = convolution(kernels)
        if place != "first":
            self.bn0 = BatchNorm(kernels, relu=True)
        self.bn1 = BatchNorm(kernels, relu=True)
        self.bn2 = BatchNorm(kernels, relu=place == "last")
        self.ecalayer = EfficientChannelAttention()

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.place == "first" else self.bn0(x)
        y = self.conv2(self.bn1(self.conv1(y)))
        if self.place == "first":
            y = self.bn2(y)
        y = torch.addcmul(x, y, self.ecalayer(y))
        return self.bn2(y) if self.place == "last" else y


class PlainBlock(nn.Module):
    """SSRN's block: ReLU(bn2(conv2(ReLU(bn1(ReLU(conv1 x))))) + x)."""

    def __init__(self, convolution: Callable[[int], nn.Module], kernels: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(convolution(kernels), nn.ReLU(inplace=True))
        self.conv2 = convolution(kernels)
        self.bn1 = BatchNorm(kernels, relu=True)
        self.bn2 = BatchNorm(kernels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.bn1(self.conv1(x)))
        return F.relu_(self.bn2(y) + x)
