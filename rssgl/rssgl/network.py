"""RSSGL, top-down: an encoder of four levels (3-D ConvLSTM, joint attention, normalisation), laterals, a decoder.

The names of modules and parameters are the release's, so official checkpoints load.
"""

from typing import Any, Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rssgl.attention import JointAttention, SpatialAttention
from rssgl.conv_lstm import GlobalConvLSTM3d
from rssgl.encoder_decoder import EncoderDecoder, conv3x3_norm_relu, encoder
from simplecv.errors import ConfigError
from simplecv.registry import MODEL

GROUPS = 4  # of every GroupNorm


@MODEL.register("RSSGL")
class RSSGL(EncoderDecoder):
    """The network without loss: (N, B, H, W) standardised scenes, H and W multiples of 16, to class logits.

    Configuration: in_channels, B bands; num_classes, K; block_channels, C1..C4, multiples of 32; inner_dim, I;
    kernel, the (depth, height, width) of the ConvLSTM's kernels, odd numbers.
    Raises: ConfigError for other channels or kernels; ValueError for a scene whose sides are not multiples of 16.
    """

    def __init__(self, config: Dict[str, Any]) -> None:
        super().__init__(config)
        in_channels, inner_dim, block_channels, kernel = (
            self.config.in_channels,
            self.config.inner_dim,
            self.config.block_channels,
            tuple(self.config.kernel),
        )
        if len(kernel) != 3 or any(side < 1 or side % 2 == 0 for side in kernel):
            raise ConfigError("the kernel needs three odd sides (depth, height, width), not %s" % list(kernel))
        if any(channels % 32 for channels in block_channels):
            raise ConfigError("block_channels must be multiples of 32, not %s" % list(block_channels))
        self.feature_ops = encoder(in_channels, block_channels, GROUPS, lambda c: self._level(c, kernel))
        # never applied; kept because the release's checkpoints hold it
        self.BasicBlock_list = nn.ModuleList([JointAttention(inner_dim) for _ in block_channels])
        self.spation_list = nn.ModuleList([SpatialAttention() for _ in block_channels])
        self.reduce_1x1convs = nn.ModuleList([nn.Conv2d(channels, inner_dim, 1) for channels in block_channels])
        self.fuse_3x3convs = nn.ModuleList(
            [conv3x3_norm_relu(inner_dim, inner_dim, GROUPS) for _ in range(3)]
            + [nn.Conv2d(inner_dim, in_channels, 3, padding=1)]
        )
        self.cls_pred_conv = nn.Conv2d(in_channels, self.config.num_classes, 1)

    def set_default_config(self) -> None:
        """Indian Pines' network."""
        self.config.update(
            in_channels=200, num_classes=16, block_channels=(96, 128, 192, 256), inner_dim=128, kernel=(3, 3, 3)
        )

    @staticmethod
    def _level(channels: int, kernel: Tuple[int, int, int]) -> nn.Sequential:
        """3-D ConvLSTM → joint attention → GroupNorm + ReLU."""
        return nn.Sequential(
            GlobalConvLSTM3d(channels, kernel),
            JointAttention(channels // 2),
            nn.Sequential(nn.GroupNorm(GROUPS, channels), nn.ReLU(inplace=True)),
        )

    def at_pixels(self, x: Tensor, chosen: Tensor) -> Tuple[Tensor, Tensor]:
        """Class logits (M, K) and final features (M, B) of the M pixels with chosen (N, H, W) bool, in C order.

        The features are the output of the last fuse convolution, which a training step needs at the sampled pixels
        alone: the 3×3 neighbourhoods of some hundred pixels are gathered instead of convolving the whole scene.
        """
        fuse, classifier = self.fuse_3x3convs[-1], self.cls_pred_conv
        padded = F.pad(self.decode(x), (1, 1, 1, 1))
        scene, row, column = chosen.nonzero(as_tuple=True)
        offset = torch.arange(9, device=x.device)
        neighbours = padded[scene[:, None], :, row[:, None] + offset // 3, column[:, None] + offset % 3]  # (M, 9, I)
        features = F.linear(neighbours.transpose(1, 2).flatten(1), fuse.weight.flatten(1), fuse.bias)
        return F.linear(features, classifier.weight.flatten(1), classifier.bias), features
