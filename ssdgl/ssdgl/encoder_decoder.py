"""The base network of SSDGL: an encoder of four levels, lateral 1×1 convolutions, a decoder, a classifier.

    stem → level 1 → ↓ → level 2 → ↓ → level 3 → ↓ → level 4
              │            │            │            │           lateral 1×1 convolutions
    classifier ← + ← fuse ← + ← fuse ← + ← fuse ←─────┘          bilinear upsampling ×2 before every +

A network builds its modules in the release's order, so that names and order of its state_dict are the release's.
"""

from typing import Callable, List, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplecv.interface import CVModule
from ssdgl.stages import Execution, Local, Map, Stages, check_described, stages_of


def conv3x3_norm_relu(channels_in: int, channels_out: int, groups: int) -> nn.Sequential:
    """Conv 3×3, GroupNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.GroupNorm(groups, channels_out),
        nn.ReLU(inplace=True),
    )


def encoder(bands: int, block_channels: Sequence[int], groups: int, level: Callable[[int], nn.Module]) -> nn.ModuleList:
    """The release's list: stem, then per level the block `level(C)`, an identity, and the stride-2 convolution."""
    operations: List[nn.Module] = [conv3x3_norm_relu(bands, block_channels[0], groups)]
    for index, channels in enumerate(block_channels):
        operations += [level(channels), nn.Identity()]
        if index + 1 < len(block_channels):
            downsample = nn.Conv2d(channels, block_channels[index + 1], 3, stride=2, padding=1)
            operations.append(nn.Sequential(downsample, nn.ReLU(inplace=True)))
    return nn.ModuleList(operations)


class EncoderDecoder(CVModule):
    """(N, B, H, W) standardised scenes, H and W multiples of 16, to class logits (N, K, H, W).

    A subclass registers `feature_ops` (of `encoder`), `reduce_1x1convs`, `fuse_3x3convs` (the last one bare, I→B) and
    `cls_pred_conv`, and may replace `lateral` together with its stages, which give the receptive fields for inference
    in tiles.
    Raises: ValueError for a scene whose sides are not multiples of 16.
    """

    STRIDE = 16

    def lateral(self, index: int, x: Tensor) -> Tensor:
        """Level `index` (from 0, the finest) to I channels."""
        return self.reduce_1x1convs[index](x)

    def upsample(self, x: Tensor) -> Tensor:
        """(N, I, H, W) to (N, I, 2·H, 2·W), bilinear."""
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

    def lateral_stages(self, index: int) -> Stages:
        """The stages of `lateral`."""
        return stages_of(self.reduce_1x1convs[index])

    def upsample_stages(self) -> Stages:
        """The stage of `upsample`: it reads two pixels in each direction, the nearer one with weight 3/4."""
        yield Local(self.upsample, 1, "bilinear interpolation takes the nearest pixel beside", grow=2)

    def _laterals(self, x: Tensor) -> List[Tensor]:
        """The four levels after their 1×1 convolutions, finest first."""
        laterals: List[Tensor] = []
        for operation in self.feature_ops:
            x = operation(x)
            if isinstance(operation, nn.Identity):
                laterals.append(self.lateral(len(laterals), x))
        return laterals

    def check_sides(self, height: int, width: int) -> None:
        """Raises: ValueError for sides that are not multiples of 16."""
        if height % self.STRIDE or width % self.STRIDE:
            raise ValueError(
                "%s needs sides that are multiples of %d, not %d × %d; pad the scene first"
                % (type(self).__name__, self.STRIDE, height, width)
            )

    def decode(self, x: Tensor) -> Tensor:
        """(N, B, H, W) scene to the (N, I, H, W) input of the last fuse convolution."""
        self.check_sides(*x.shape[2:])
        *finer, coarsest = self._laterals(x)
        x = self.fuse_3x3convs[0](coarsest)
        for fuse, lateral in zip(self.fuse_3x3convs[1:-1], reversed(finer[1:])):
            x = fuse(self.upsample(x).add_(lateral))
        return self.upsample(x).add_(finer[0])

    def classify(self, decoded: Tensor) -> Tensor:
        """Last fuse convolution (I→B) and classifier (B→K) as one convolution: class logits (N, K, H, W).

        Nothing stands between the two, so W = W_cls·W_fuse and b = W_cls·b_fuse + b_cls give the same logits and,
        through these products, the same gradients, for K/B of the work of the largest convolution of the network.
        """
        fuse, classifier = self.fuse_3x3convs[-1], self.cls_pred_conv
        mixing = classifier.weight.flatten(1)
        weight = torch.mm(mixing, fuse.weight.flatten(1)).view(-1, *fuse.weight.shape[1:])
        return F.conv2d(decoded, weight, torch.mv(mixing, fuse.bias) + classifier.bias, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, B, H, W) scene to class logits (N, K, H, W)."""
        return self.classify(self.decode(x))

    def forward_with_features(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Class logits and the (N, B, H, W) output of the last fuse convolution, for losses that look at it."""
        features = self.fuse_3x3convs[-1](self.decode(x))
        return self.cls_pred_conv(features), features

    def tiled(self, run: Execution[Map], scene: Map) -> Map:
        """The class logits of a scene: the operations of `forward` in the same order, each by its stages. Raises:
        SettingsError where an operation has none.
        """
        for operation, stages in _DESCRIBED:
            check_described(type(self), operation, stages)
        laterals: List[Map] = []
        x, level = scene, []
        for operation in self.feature_ops:
            level.append(operation)
            if isinstance(operation, nn.Identity):
                # as one chain, so that its intermediate maps are freed after use
                x, level = run.through(stages_of(nn.Sequential(*level)), x), []
                laterals.append(run.through(self.lateral_stages(len(laterals)), x))
        x = run.through(stages_of(self.fuse_3x3convs[0]), laterals.pop())
        for fuse in self.fuse_3x3convs[1:-1]:
            x = run.through(stages_of(fuse), run.sum(run.through(self.upsample_stages(), x), laterals.pop()))
        x = run.sum(run.through(self.upsample_stages(), x), laterals.pop())
        return run.through(self._classify_stages(), x)

    def _classify_stages(self) -> Stages:
        yield Local(self.classify, 1, "half the 3×3 kernel of the last fuse convolution")


# methods that a subclass may replace, with the methods that give their stages to `tiled`
_DESCRIBED = (
    ("lateral", "lateral_stages"),
    ("upsample", "upsample_stages"),
    ("decode", "tiled"),
    ("classify", "_classify_stages"),
    ("forward", "tiled"),
)
