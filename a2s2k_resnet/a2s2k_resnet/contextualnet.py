"""ContextualNet (a baseline of the release): a multi-scale filter bank, then 1×1 convolutions and a patch-wide one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2s2k_resnet.folded_conv import DepthConv, as_image

_WIDTH = 128


class ChannelResponseNorm(nn.Module):
    """Local response normalisation with PyTorch's defaults, over a window as wide as the C channels: (N, C, H, W).

        x / (1 + 1e-4 · mean of x² over the window)^0.75

    The window of channel c is c − C//2 .. c + (C−1)//2, zeros outside. Summing it is a product with a banded matrix
    of ones, which takes a fraction of the time of the pooling that PyTorch uses.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        size = self.channels
        window = x.new_ones(size, size).tril((size - 1) // 2).triu(-(size // 2))
        mean = F.conv2d(x * x, window[:, :, None, None]) / size
        return x / (1 + 1e-4 * mean) ** 0.75


class ContextualNet(nn.Module):
    """(N, P, P, B) patches to class logits (N, K). The kernel of its last convolution has the side of the patch."""

    def __init__(self, bands: int, num_classes: int, patch: int) -> None:
        super().__init__()
        if patch % 2 == 0:
            raise ValueError("ContextualNet needs an odd patch side, not %d" % patch)
        self.patch = patch
        self.conv_3x3 = DepthConv(1, _WIDTH, (3, 3, bands), padding=(1, 1, 0))
        self.conv_1x1 = DepthConv(1, _WIDTH, (1, 1, bands))
        self.conv1 = nn.Conv2d(2 * _WIDTH, _WIDTH, 1)
        for index in range(2, 8):
            self.add_module("conv%d" % index, nn.Conv2d(_WIDTH, _WIDTH, 1))
        self.conv8 = nn.Conv2d(_WIDTH, num_classes, patch)
        self.norm1, self.norm2 = ChannelResponseNorm(2 * _WIDTH), ChannelResponseNorm(_WIDTH)
        self.dropout = nn.Dropout(0.5)
        self.initialise()

    def initialise(self) -> None:
        """Kaiming-uniform weights and zero biases, as the release."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Conv3d)):
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, patches: Tensor) -> Tensor:
        if patches.shape[1] != self.patch:
            raise ValueError("this ContextualNet is for patches of side %d, not %d" % (self.patch, patches.shape[1]))
        x = as_image(patches)
        x = torch.cat([self.conv_3x3(x), self.conv_1x1(x)], dim=1)
        x = F.relu(self.norm1(x))
        x = F.relu(self.norm2(self.conv1(x)))
        x = F.relu(x + self.conv3(F.relu(self.conv2(x))))
        x = F.relu(x + self.conv5(F.relu(self.conv4(x))))
        x = self.dropout(F.relu(self.conv6(x)))
        x = self.dropout(F.relu(self.conv7(x)))
        return self.conv8(x).flatten(1)
