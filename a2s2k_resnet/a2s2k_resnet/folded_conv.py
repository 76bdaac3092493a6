"""The release's 3-D convolutions, computed as 2-D convolutions and matrix products.

No Conv3d of these networks spans three dimensions at once. A kernel (1,1,k) spans only bands, so the P×P pixels of a
patch can be one axis; a kernel (3,3,1) acts on a depth of 1; a kernel with the depth of its input has an output of
depth 1. The parameters keep the Conv3d shapes of the official checkpoints; only the computation is folded.

Two layouts replace the release's (N, C, P, P, D):
    spectral features  (N, C, P·P, D)   P·P pixels, D bands
    spatial features   (N, C, P, P)     depth 1, or depth as channels
On a CPU both lie in memory with the channels last, for which thin convolutions run about 1.5 times as fast.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2s2k_resnet.batch_norm import BatchNorm

# the CPU convolutions of PyTorch 1.4 would convert channels-last tensors to the default layout and back
_CHANNELS_LAST = F.conv2d(
    torch.zeros(1, 2, 2, 2).contiguous(memory_format=torch.channels_last), torch.zeros(2, 2, 1, 1)
).is_contiguous(memory_format=torch.channels_last)


def wants_channels_last(x: Tensor) -> bool:
    """Whether convolutions on the device of x are faster in the channels-last layout."""
    return _CHANNELS_LAST and not x.is_cuda


def fast_layout(x: Tensor) -> Tensor:
    """The same 4-D tensor, in the memory layout with the fastest convolutions on its device."""
    return x.contiguous(memory_format=torch.channels_last) if wants_channels_last(x) else x.contiguous()


def as_image(patches: Tensor) -> Tensor:
    """(N, P, P, B) patches to (N, B, P, P), the bands as channels; without a copy on a CPU."""
    return fast_layout(patches.permute(0, 3, 1, 2))


def norm_relu(channels: int) -> nn.Sequential:
    """BatchNorm with the eps 1e-3 the release uses outside its blocks, then ReLU.

    Folding only reshapes: the statistics are over the same numbers as in the release's BatchNorm3d.
    """
    return nn.Sequential(BatchNorm(channels, eps=1e-3, relu=True))


class SpectralConv(nn.Conv3d):
    """Kernel (1,1,k): (N, C, P·P, D) to (N, F, P·P, D')."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight[:, :, 0], self.bias, stride=self.stride[1:], padding=self.padding[1:])


class SpectraConv(nn.Conv3d):
    """One input channel, kernel (1,1,k): (N, P, P, B) patches to (N, F, P·P, D')."""

    def forward(self, patches: Tensor) -> Tensor:
        batch, side, _, bands = patches.shape
        spectra, weight = patches.reshape(batch, 1, side * side, bands), self.weight[:, :, 0]
        if wants_channels_last(patches):
            # with a single channel PyTorch detects no layout; a second one of zero weight makes the result
            # channels-last
            spectra, weight = fast_layout(spectra.expand(-1, 2, -1, -1)), F.pad(weight, (0, 0, 0, 0, 0, 1))
        return F.conv2d(spectra, weight, self.bias, stride=self.stride[1:])


class SpatialConv(nn.Conv3d):
    """Kernel (k,k,1) on a depth of 1: (N, C, P, P) to (N, F, P', P')."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight[..., 0], self.bias, stride=self.stride[:2], padding=self.padding[:2])


class NeighbourhoodConv(nn.Conv3d):
    """One input channel, kernel (3,3,k), padding (1,1,0): (N, P, P, B) patches to (N, F, P·P, D')."""

    def forward(self, patches: Tensor) -> Tensor:
        batch, side, _, bands = patches.shape
        padded = F.pad(patches, (0, 0, 1, 1, 1, 1))
        shifted = [padded[:, i : i + side, j : j + side] for i in range(3) for j in range(3)]
        # a pixel's 3×3 neighbours are 9 channels of a kernel that runs along the bands
        neighbours = torch.stack(shifted, dim=-1).view(batch, side * side, bands, 9).permute(0, 3, 1, 2)
        weight = self.weight.view(self.out_channels, 9, 1, -1)
        return F.conv2d(fast_layout(neighbours), weight, self.bias, stride=self.stride[1:])


class BandsToChannels(nn.Conv3d):
    """Kernel (1,1,D) as deep as its input: (N, C, P·P, D) to (N, F, P, P), one matrix product."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, pixels, depth = x.shape
        side = round(pixels**0.5)
        # bands before channels: the order of the channels-last memory, no copy there
        rows, weight = x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0].transpose(1, 2)
        rows = rows.reshape(batch * pixels, channels * depth)
        features = F.linear(rows, weight.reshape(self.out_channels, -1), self.bias)
        return fast_layout(features.view(batch, side, side, self.out_channels).permute(0, 3, 1, 2))


class DepthConv(nn.Conv3d):
    """One input channel, kernel (k,k,D) as deep as its input: (N, D, P, P), depth as channels, to (N, F, P', P')."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight[:, 0].permute(0, 3, 1, 2)
        return F.conv2d(x, weight, self.bias, stride=self.stride[:2], padding=self.padding[:2])
