"""RSSGL written equation by equation: the slow oracle the fast network is measured against.

Every gate is its own 3-D convolution, every time step its own loop turn, every attention its own lines, in the order in
which the paper gives them. Nothing here is optimised; nothing outside tests and the benchmark imports it. The
state_dict keys are those of the release, so weights move freely between this module and `rssgl.network`.
"""

import torch
import torch.nn.functional as F
from torch import nn


class LiteralConvLSTM3dCell(nn.Module):
    """One 3-D ConvLSTM cell with eight separate convolutions."""

    def __init__(self, channels, hidden, kernel):
        super().__init__()
        padding = tuple((side - 1) // 2 for side in kernel)
        for gate in "ifco":
            setattr(self, "Wx" + gate, nn.Conv3d(channels, hidden, kernel, padding=padding))
            setattr(self, "Wh" + gate, nn.Conv3d(hidden, hidden, kernel, padding=padding, bias=False))

    def forward(self, x, h, c):
        i = torch.sigmoid(self.Wxi(x) + self.Whi(h))
        f = torch.sigmoid(self.Wxf(x) + self.Whf(h))
        c = f * c + i * torch.tanh(self.Wxc(x) + self.Whc(h))
        o = torch.sigmoid(self.Wxo(x) + self.Who(h))
        return o * torch.tanh(c), c


class LiteralGlobalConvLSTM3d(nn.Module):
    """Eight channel groups as eight one-channel volumes through two stacked cells; the last hidden state remains."""

    def __init__(self, channels, kernel):
        super().__init__()
        self.cell0 = LiteralConvLSTM3dCell(1, 4, kernel)
        self.cell1 = LiteralConvLSTM3dCell(4, 4, kernel)

    def forward(self, x):
        batch, channels, height, width = x.shape
        zero = x.new_zeros(batch, 4, channels // 8, height, width)
        h0 = c0 = h1 = c1 = zero
        for group in torch.chunk(x, 8, dim=1):
            h0, c0 = self.cell0(group.unsqueeze(1), h0, c0)
            h1, c1 = self.cell1(h0, h1, c1)
        return torch.cat([h1[:, hidden] for hidden in range(4)], dim=1)


class LiteralChannelAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x):
        average = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        maximum = self.fc2(F.relu(self.fc1(F.adaptive_max_pool2d(x, 1))))
        return torch.sigmoid(average + maximum)


class LiteralSpatialAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x):
        pooled = torch.cat([x.mean(dim=1, keepdim=True), x.max(dim=1, keepdim=True)[0]], dim=1)
        return torch.sigmoid(F.relu(self.conv1(pooled)))


class LiteralJointAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.ca = LiteralChannelAttention(channels)
        self.sa = LiteralSpatialAttention()

    def forward(self, x):
        return torch.cat([x + x * self.ca(x), x + x * self.sa(x)], dim=1)


def conv3x3_norm_relu(channels_in, channels_out):
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.GroupNorm(4, channels_out), nn.ReLU())


class LiteralRSSGL(nn.Module):
    """(N, B, H, W) standardised scene to the class probabilities (N, K, H, W)."""

    def __init__(self, in_channels, num_classes, kernel, block_channels=(96, 128, 192, 256), inner_dim=128):
        super().__init__()
        operations = [conv3x3_norm_relu(in_channels, block_channels[0])]
        for level, channels in enumerate(block_channels):
            block = nn.Sequential(
                LiteralGlobalConvLSTM3d(channels, kernel),
                LiteralJointAttention(channels // 2),
                nn.Sequential(nn.GroupNorm(4, channels), nn.ReLU()),
            )
            operations += [block, nn.Identity()]
            if level < 3:
                downsample = nn.Conv2d(channels, block_channels[level + 1], 3, stride=2, padding=1)
                operations.append(nn.Sequential(downsample, nn.ReLU()))
        self.feature_ops = nn.ModuleList(operations)
        self.BasicBlock_list = nn.ModuleList([LiteralJointAttention(inner_dim) for _ in block_channels])
        self.spation_list = nn.ModuleList([LiteralSpatialAttention() for _ in block_channels])
        self.reduce_1x1convs = nn.ModuleList([nn.Conv2d(channels, inner_dim, 1) for channels in block_channels])
        fuse = [conv3x3_norm_relu(inner_dim, inner_dim) for _ in range(3)]
        self.fuse_3x3convs = nn.ModuleList([*fuse, nn.Conv2d(inner_dim, in_channels, 3, padding=1)])
        self.cls_pred_conv = nn.Conv2d(in_channels, num_classes, 1)

    def features(self, x):
        """(N, B, H, W) standardised scene to the (N, B, H, W) output of the last fuse convolution."""
        levels = []
        for index, operation in enumerate(self.feature_ops):
            x = operation(x)
            if index in (1, 4, 7, 10):
                levels.append(x)
        laterals = [reduce(level) for reduce, level in zip(self.reduce_1x1convs, levels)]
        laterals.reverse()
        x = self.fuse_3x3convs[0](laterals[0])
        for fuse, lateral in zip(self.fuse_3x3convs[1:], laterals[1:]):
            x = fuse(F.interpolate(x, scale_factor=2.0, mode="nearest") + lateral)
        return x

    def forward(self, x):
        return torch.softmax(self.cls_pred_conv(self.features(x)), dim=1)
