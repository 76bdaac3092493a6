"""SSDGL, top-down: an encoder of four levels (GCL, GJAM, normalisation), lateral 1×1 convolutions, a decoder.

Three networks share the skeleton: the release's head of 2022 (fixed ratio and few-shot), its first commit of 2021,
and the network of the Houston configuration. All their differences are values in `VARIANTS`. The names of modules and
parameters are the release's, so official checkpoints load.
"""

from functools import partial
from typing import Any, Callable, Dict, NamedTuple, Tuple, Type

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simplecv.errors import ConfigError
from simplecv.registry import MODEL
from ssdgl.attention import JointAttention, SpatialAttention, SpectralAttention
from ssdgl.conv_lstm import GlobalConvLSTM
from ssdgl.encoder_decoder import EncoderDecoder, conv3x3_norm_relu, encoder
from ssdgl.stages import Local, Stages

UNUSED_RATIO = 16  # q of the joint attentions that are created but never applied


class Variant(NamedTuple):
    """What distinguishes the networks of the release."""

    norm_groups: int  # r, the groups of every GroupNorm
    kernel: int  # k of the ConvLSTM
    inner: Callable  # activation inside the channel attention
    gate: Callable  # activation of the channel attention's gate
    unused: Tuple[str, ...] = ()  # modules of the release's checkpoints that are created and never applied
    first_convolution: bool = False  # whether a level begins with Conv 3×3 + GroupNorm + ReLU
    cells: int = 2  # ConvLSTM cells of a level: hidden sizes C/8, then C/16
    attention: Type[JointAttention] = JointAttention  # of a level
    lateral_attention: bool = False  # whether a spatial attention follows every lateral 1×1 convolution
    fuse_norm: bool = True  # whether GroupNorm + ReLU follow the fuse convolutions but the last


VARIANTS = {
    "v2022": Variant(8, 3, F.gelu, F.relu, unused=("SA",)),
    "v2022-fewshot": Variant(4, 5, F.gelu, F.relu),
    "v2021": Variant(4, 5, F.relu, torch.sigmoid, unused=("BasicBlock_list", "spation_list")),
    "houston": Variant(
        8, 3, F.relu, F.relu, unused=("gn",), first_convolution=True, cells=1, attention=SpectralAttention,
        lateral_attention=True, fuse_norm=False,
    ),
}  # fmt: skip


@MODEL.register("SSDGL")
class SSDGL(EncoderDecoder):
    """The network without loss: (N, B, H, W) standardised scenes, H and W multiples of 16, to class logits.

    Configuration: in_channels, B bands; num_classes, K; block_channels, C1..C4, multiples of 16; inner_dim, I;
    attention_ratio, q of the channel attention; variant, a key of `VARIANTS`.
    Raises: ConfigError for an unknown variant; ValueError for a scene whose sides are not multiples of 16.
    """

    def __init__(self, config: Dict[str, Any]) -> None:
        super().__init__(config)
        in_channels, inner_dim, block_channels = (
            self.config.in_channels,
            self.config.inner_dim,
            self.config.block_channels,
        )
        variant = self.config.variant
        if variant not in VARIANTS:
            raise ConfigError("unknown network variant '%s'; there are: %s" % (variant, ", ".join(VARIANTS)))
        self.choice = choice = VARIANTS[variant]
        groups = choice.norm_groups
        if "gn" in choice.unused:
            self.gn = nn.GroupNorm(groups, in_channels)
        self.feature_ops = encoder(
            in_channels, block_channels, groups, lambda channels: nn.Sequential(self._level(channels))
        )
        if "BasicBlock_list" in choice.unused:
            self.BasicBlock_list = nn.ModuleList(
                [JointAttention(inner_dim, UNUSED_RATIO, choice.inner, choice.gate) for _ in block_channels]
            )
            self.spation_list = nn.ModuleList([SpatialAttention() for _ in block_channels])
        self.reduce_1x1convs = nn.ModuleList([nn.Conv2d(channels, inner_dim, 1) for channels in block_channels])
        if "SA" in choice.unused:
            self.SA = nn.ModuleList([SpatialAttention() for _ in block_channels])
        self.fuse_3x3convs = nn.ModuleList(
            [self._fuse(inner_dim, groups) for _ in range(3)] + [nn.Conv2d(inner_dim, in_channels, 3, padding=1)]
        )
        self.cls_pred_conv = nn.Conv2d(in_channels, self.config.num_classes, 1)
        if choice.lateral_attention:
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
        if self.choice.fuse_norm:
            return conv3x3_norm_relu(inner_dim, inner_dim, groups)
        return nn.Conv2d(inner_dim, inner_dim, 3, padding=1)

    def _level(self, channels: int) -> nn.Sequential:
        """GCL → GJAM → GroupNorm + ReLU, in some variants after a convolution."""
        choice, hidden = self.choice, channels // GlobalConvLSTM.STEPS
        first = [conv3x3_norm_relu(channels, channels, choice.norm_groups)] if choice.first_convolution else []
        recurrence = GlobalConvLSTM(channels, [hidden, hidden // 2][: choice.cells], choice.kernel)
        # with two cells the attention sees half of the level's channels
        attention = choice.attention(channels // choice.cells, self.config.attention_ratio, choice.inner, choice.gate)
        last = [nn.GroupNorm(choice.norm_groups, channels), nn.ReLU(inplace=True)]
        if first:  # then the release's list is flat, which decides the names
            return nn.Sequential(*first, recurrence, attention, *last)
        return nn.Sequential(recurrence, attention, nn.Sequential(*last))

    def lateral(self, index: int, x: Tensor) -> Tensor:
        """Level `index` after its 1×1 convolution, in some variants with a spatial attention."""
        lateral = super().lateral(index, x)
        if self.choice.lateral_attention:
            lateral = torch.addcmul(lateral, lateral, self.SA[index](lateral))
        return lateral

    def lateral_stages(self, index: int) -> Stages:
        """The stages; only the spatial attention has a receptive field beyond the pixel."""
        if self.choice.lateral_attention:
            yield Local(partial(self.lateral, index), SpatialAttention.REACH, SpatialAttention.REASON)
        else:
            yield from super().lateral_stages(index)
