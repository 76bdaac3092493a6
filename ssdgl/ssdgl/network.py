"""SSDGL, top-down: an encoder of four levels (GCL, GJAM, normalisation), lateral 1×1 convolutions, a decoder.

Three networks share the skeleton and differ in the values of `Variant`: the release's head of 2022 (fixed ratio
and few-shot), its first commit of 2021, and the network of the Houston configuration. The names of modules and
parameters are the release's, so official checkpoints load.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplecv.interface import CVModule
from simplecv.registry import MODEL
from ssdgl.conv_lstm import GlobalConvLSTM
from ssdgl.joint_attention import JointAttention, SpatialAttention, SpectralAttention


class Variant(NamedTuple):
    """What distinguishes the networks of the release."""

    norm_groups: int  # r, the groups of every GroupNorm
    kernel: int  # k of the ConvLSTM
    inner: Callable  # activation inside the channel attention
    gate: Callable  # activation of the channel attention's gate
    cells: int = 2  # ConvLSTM cells of a level: hidden sizes C/8, then C/16
    unused_attention: str = ""  # modules of the release's checkpoints that are created and never applied


VARIANTS = {
    "v2022": Variant(8, 3, F.gelu, F.relu, unused_attention="SA"),
    "v2022-fewshot": Variant(4, 5, F.gelu, F.relu),
    "v2021": Variant(4, 5, F.relu, torch.sigmoid, unused_attention="BasicBlock_list spation_list"),
    "houston": Variant(8, 3, F.relu, F.relu, cells=1),
}


def conv3x3_norm_relu(channels_in: int, channels_out: int, groups: int) -> nn.Sequential:
    """Conv 3×3, GroupNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.GroupNorm(groups, channels_out),
        nn.ReLU(inplace=True),
    )


def upsample_add(x: Tensor, lateral: Tensor) -> Tensor:
    """Bilinear ×2 upsampling plus the lateral of the next finer level."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False).add_(lateral)


@MODEL.register("SSDGL")
class SSDGL(CVModule):
    """The network without loss: (N, B, H, W) standardised scenes, H and W multiples of 16, to class logits.

    Configuration: in_channels, B bands; num_classes, K; block_channels, C1..C4, multiples of 16; inner_dim, I;
    attention_ratio, q of the channel attention; variant, a key of `VARIANTS`.
    Raises: ValueError for an unknown variant or a scene whose sides are not multiples of 16.
    """

    STRIDE = 16

    def __init__(self, config: Dict[str, Any]) -> None:
        super().__init__(config)
        in_channels, inner_dim, block_channels = (
            self.config.in_channels,
            self.config.inner_dim,
            self.config.block_channels,
        )
        variant = self.config.variant
        if variant not in VARIANTS:
            raise ValueError("unknown network variant '%s'; there are: %s" % (variant, ", ".join(VARIANTS)))
        self.variant = variant
        choice = VARIANTS[variant]
        groups = choice.norm_groups
        if variant == "houston":
            self.gn = nn.GroupNorm(groups, in_channels)  # unused, in the checkpoint
        self.feature_ops = nn.ModuleList(self._encoder(choice))
        if "BasicBlock_list" in choice.unused_attention:
            self.BasicBlock_list = nn.ModuleList(
                [JointAttention(inner_dim, 16, choice.inner, choice.gate) for _ in block_channels]
            )
            self.spation_list = nn.ModuleList([SpatialAttention() for _ in block_channels])
        self.reduce_1x1convs = nn.ModuleList([nn.Conv2d(channels, inner_dim, 1) for channels in block_channels])
        if "SA" in choice.unused_attention:
            self.SA = nn.ModuleList([SpatialAttention() for _ in block_channels])
        self.fuse_3x3convs = nn.ModuleList(
            [self._fuse(inner_dim, groups) for _ in range(3)] + [nn.Conv2d(inner_dim, in_channels, 3, padding=1)]
        )
        self.cls_pred_conv = nn.Conv2d(in_channels, self.config.num_classes, 1)
        if variant == "houston":
            self.SA = nn.ModuleList([SpatialAttention(rectified=False) for _ in block_channels])

    def set_default_config(self) -> None:
        """PaviaU's network (1 % training pixels)."""
        self.config.update(
            in_channels=103,
            num_classes=9,
            block_channels=(96, 128, 192, 256),
            inner_dim=128,
            attention_ratio=16,
            variant="v2022",
        )

    def _fuse(self, inner_dim: int, groups: int) -> nn.Module:
        if self.variant == "houston":
            return nn.Conv2d(inner_dim, inner_dim, 3, padding=1)
        return conv3x3_norm_relu(inner_dim, inner_dim, groups)

    def _level(self, channels: int, choice: Variant) -> nn.Sequential:
        """GCL → GJAM → GroupNorm + ReLU."""
        attention_ratio = self.config.attention_ratio
        norm, hidden = nn.GroupNorm(choice.norm_groups, channels), channels // GlobalConvLSTM.STEPS
        if self.variant == "houston":
            return nn.Sequential(
                conv3x3_norm_relu(channels, channels, choice.norm_groups),
                GlobalConvLSTM(channels, [hidden], choice.kernel),
                SpectralAttention(channels, attention_ratio, choice.inner, choice.gate),
                norm,
                nn.ReLU(inplace=True),
            )
        return nn.Sequential(
            GlobalConvLSTM(channels, [hidden, hidden // 2], choice.kernel),
            JointAttention(channels // 2, attention_ratio, choice.inner, choice.gate),
            nn.Sequential(norm, nn.ReLU(inplace=True)),
        )

    def _encoder(self, choice: Variant) -> List[nn.Module]:
        """The release's list: stem, then per level the block, an identity, and the stride-2 convolution."""
        block_channels: Sequence[int] = self.config.block_channels
        stem = conv3x3_norm_relu(self.config.in_channels, block_channels[0], choice.norm_groups)
        operations: List[nn.Module] = [stem]
        for level, channels in enumerate(block_channels):
            operations += [nn.Sequential(self._level(channels, choice)), nn.Identity()]
            if level + 1 < len(block_channels):
                downsample = nn.Conv2d(channels, block_channels[level + 1], 3, stride=2, padding=1)
                operations.append(nn.Sequential(downsample, nn.ReLU(inplace=True)))
        return operations

    def _laterals(self, x: Tensor) -> List[Tensor]:
        """The four levels after their 1×1 convolutions, finest first."""
        laterals: List[Tensor] = []
        for operation in self.feature_ops:
            x = operation(x)
            if isinstance(operation, nn.Identity):
                lateral = self.reduce_1x1convs[len(laterals)](x)
                if self.variant == "houston":
                    lateral = torch.addcmul(lateral, lateral, self.SA[len(laterals)](lateral))
                laterals.append(lateral)
        return laterals

    def decode(self, x: Tensor) -> Tensor:
        """(N, B, H, W) scene to the (N, I, H, W) input of the last fuse convolution."""
        if x.shape[2] % self.STRIDE or x.shape[3] % self.STRIDE:
            raise ValueError(
                "SSDGL needs sides that are multiples of %d, not %d × %d; pad the scene first"
                % (self.STRIDE, x.shape[2], x.shape[3])
            )
        *finer, coarsest = self._laterals(x)
        x = self.fuse_3x3convs[0](coarsest)
        for fuse, lateral in zip(self.fuse_3x3convs[1:-1], reversed(finer[1:])):
            x = fuse(upsample_add(x, lateral))
        return upsample_add(x, finer[0])

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
