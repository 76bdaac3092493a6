"""ResNet-34 and PyResNet-34 (baselines of the release): the usual basic blocks, with the patch as the input image.

A patch is a small image: 9×9 pixels become 1×1 from the third stage on. On a padded 1×1 map only the centre tap of a
3×3 kernel touches a value, on a 2×2 map at stride 2 four of its nine taps do. Taps that touch only padding are not
computed; their gradient is zero either way.
"""

from typing import Tuple

import torch.nn.functional as F
from torch import Tensor, nn

from a2s2k_resnet.folded_conv import as_image

_HIDDEN = 512  # width of PyResNet's heads


class PaddedConv3x3(nn.Conv2d):
    """3×3 convolution without bias, padding 1, that skips the taps that touch only padding."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels, 3, stride=stride, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height == width == 1:
            return F.conv2d(x, self.weight[:, :, 1:2, 1:2])
        if height == width == 2 and self.stride == (2, 2):
            return F.conv2d(x, self.weight[:, :, 1:, 1:])
        return super().forward(x)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with BatchNorm, plus the identity, or a strided 1×1 convolution of it."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = PaddedConv3x3(channels_in, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = PaddedConv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        y = F.relu_(self.bn1(self.conv1(x)))
        return F.relu_(self.bn2(self.conv2(y)).add_(identity))


def stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """A sequence of basic blocks; the first has the stride."""
    first = BasicBlock(channels_in, channels, stride)
    return nn.Sequential(first, *[BasicBlock(channels, channels, 1) for _ in range(blocks - 1)])


class Trunk(nn.Module):
    """The convolutional part of ResNet-34, its first convolution taking B bands."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(bands, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(64, 64, 3, 1)
        self.layer2 = stage(64, 128, 4, 2)
        self.layer3 = stage(128, 256, 6, 2)
        self.layer4 = stage(256, 512, 3, 2)

    def initialise(self) -> None:
        """Kaiming-normal convolutions by fan-out, as the release; BatchNorm starts at 1 and 0 by itself."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stages(self, patches: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """(N, P, P, B) patches to the maps of stages 2, 3 and 4, with 128, 256 and 512 channels."""
        x = F.relu_(self.bn1(self.conv1(as_image(patches))))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        second = self.layer2(self.layer1(x))
        third = self.layer3(second)
        return second, third, self.layer4(third)


class ResNet34(Trunk):
    """(N, P, P, B) patches of any side to class logits (N, K). Trains on batches of two patches or more."""

    def __init__(self, bands: int, num_classes: int, patch: int) -> None:
        super().__init__(bands)
        self.fc = nn.Linear(512, num_classes)
        self.initialise()

    def forward(self, patches: Tensor) -> Tensor:
        return self.fc(self.stages(patches)[-1].mean(dim=(2, 3)))


def head(channels: int, num_classes: int) -> nn.Sequential:
    """Logits of one stage from its maxima (N, C)."""
    return nn.Sequential(
        nn.Linear(channels, _HIDDEN, bias=False),
        nn.BatchNorm1d(_HIDDEN),
        nn.ReLU(inplace=True),
        nn.Linear(_HIDDEN, num_classes),
    )


class PyResNet34(Trunk):
    """ResNet-34 with a head on stages 2, 3 and 4, whose logits (N, K) are summed. Trains on two patches or more."""

    def __init__(self, bands: int, num_classes: int, patch: int) -> None:
        super().__init__(bands)
        self.fc2, self.fc3, self.fc4 = (head(channels, num_classes) for channels in (128, 256, 512))
        self.initialise()

    def forward(self, patches: Tensor) -> Tensor:
        second, third, fourth = (F.adaptive_max_pool2d(maps, 1).flatten(1) for maps in self.stages(patches))
        return self.fc2(second) + self.fc3(third) + self.fc4(fourth)
