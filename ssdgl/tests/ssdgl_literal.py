"""SSDGL written equation by equation: the slow oracle the fast network is measured against.

Every gate is its own convolution, every time step its own loop turn, every attention its own lines, in the order in
which the paper gives them. Nothing here is optimised; nothing outside tests and the benchmark imports it. The
state_dict keys are those of the release, so weights move freely between this module and `ssdgl.network`.
"""

import torch
import torch.nn.functional as F
from torch import nn


class LiteralConvLSTMCell(nn.Module):
    """One ConvLSTM cell with eight separate convolutions."""

    def __init__(self, channels, hidden, kernel):
        super().__init__()
        for gate in "ifco":
            setattr(self, "Wx" + gate, nn.Conv2d(channels, hidden, kernel, padding=(kernel - 1) // 2))
            setattr(self, "Wh" + gate, nn.Conv2d(hidden, hidden, kernel, padding=(kernel - 1) // 2, bias=False))

    def forward(self, x, h, c):
        i = torch.sigmoid(self.Wxi(x) + self.Whi(h))
        f = torch.sigmoid(self.Wxf(x) + self.Whf(h))
        c = f * c + i * torch.tanh(self.Wxc(x) + self.Whc(h))
        o = torch.sigmoid(self.Wxo(x) + self.Who(h))
        return o * torch.tanh(c), c


class LiteralGlobalConvLSTM(nn.Module):
    """Eight channel groups as eight time steps through the stacked cells."""

    def __init__(self, channels, hidden_sizes, kernel):
        super().__init__()
        sizes = [channels // 8, *hidden_sizes]
        self.depth = len(hidden_sizes)
        for index in range(self.depth):
            setattr(self, "cell%d" % index, LiteralConvLSTMCell(sizes[index], sizes[index + 1], kernel))

    def forward(self, x):
        states = [None] * self.depth
        outputs = []
        for group in torch.chunk(x, 8, dim=1):
            signal = group
            for index in range(self.depth):
                cell = getattr(self, "cell%d" % index)
                if states[index] is None:
                    zero = signal.new_zeros(signal.shape[0], cell.Whi.in_channels, *signal.shape[2:])
                    states[index] = (zero, zero)
                states[index] = cell(signal, *states[index])
                signal = states[index][0]
            outputs.append(signal)
        return torch.cat(outputs, dim=1)


class LiteralChannelAttention(nn.Module):
    def __init__(self, channels, ratio, inner, gate):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // ratio, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // ratio, channels, 1, bias=False)
        self.inner, self.gate = inner, gate

    def forward(self, x):
        average = self.fc2(self.inner(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        maximum = self.fc2(self.inner(self.fc1(F.adaptive_max_pool2d(x, 1))))
        return self.gate(average + maximum)


class LiteralSpatialAttention(nn.Module):
    def __init__(self, inner=F.relu):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.inner = inner

    def forward(self, x):
        pooled = torch.cat([x.mean(dim=1, keepdim=True), x.max(dim=1, keepdim=True)[0]], dim=1)
        return torch.sigmoid(self.inner(self.conv1(pooled)))


class LiteralJointAttention(nn.Module):
    def __init__(self, channels, ratio, inner, gate, joint=True):
        super().__init__()
        self.ca = LiteralChannelAttention(channels, ratio, inner, gate)
        self.sa = LiteralSpatialAttention()
        self.joint = joint

    def forward(self, x):
        spectral = x + x * self.ca(x)
        spatial = x + x * self.sa(x)
        if self.joint:
            return torch.cat([spectral, spatial], dim=1)
        return spectral + 0 * spatial


def conv3x3_norm_relu(channels_in, channels_out, groups):
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.GroupNorm(groups, channels_out), nn.ReLU()
    )


class LiteralSSDGL(nn.Module):
    """variant: 'v2022', 'v2022_fewshot', 'v2021' or 'houston'."""

    def __init__(self, in_channels, num_classes, block_channels, inner_dim, variant, attention_ratio=16):
        super().__init__()
        groups = 8 if variant in ("v2022", "houston") else 4
        kernel = 3 if variant in ("v2022", "houston") else 5
        inner, gate = {
            "v2022": (F.gelu, F.relu),
            "v2022_fewshot": (F.gelu, F.relu),
            "v2021": (F.relu, torch.sigmoid),
            "houston": (F.relu, F.relu),
        }[variant]
        self.houston = variant == "houston"
        if self.houston:
            self.gn = nn.GroupNorm(groups, in_channels)
        operations = [conv3x3_norm_relu(in_channels, block_channels[0], groups)]
        for level, channels in enumerate(block_channels):
            norm = nn.GroupNorm(groups, channels)
            if self.houston:
                block = nn.Sequential(
                    conv3x3_norm_relu(channels, channels, groups),
                    LiteralGlobalConvLSTM(channels, [channels // 8], kernel),
                    LiteralJointAttention(channels, attention_ratio, inner, gate, joint=False),
                    norm,
                    nn.ReLU(),
                )
            else:
                block = nn.Sequential(
                    LiteralGlobalConvLSTM(channels, [channels // 8, channels // 16], kernel),
                    LiteralJointAttention(channels // 2, attention_ratio, inner, gate),
                    nn.Sequential(norm, nn.ReLU()),
                )
            operations += [nn.Sequential(block), nn.Identity()]
            if level < 3:
                downsample = nn.Conv2d(channels, block_channels[level + 1], 3, stride=2, padding=1)
                operations.append(nn.Sequential(downsample, nn.ReLU()))
        self.feature_ops = nn.ModuleList(operations)
        if variant == "v2021":
            self.BasicBlock_list = nn.ModuleList(
                [LiteralJointAttention(inner_dim, 16, inner, gate) for _ in block_channels]
            )
            self.spation_list = nn.ModuleList([LiteralSpatialAttention() for _ in block_channels])
        self.reduce_1x1convs = nn.ModuleList([nn.Conv2d(channels, inner_dim, 1) for channels in block_channels])
        if variant == "v2022":
            self.SA = nn.ModuleList([LiteralSpatialAttention() for _ in block_channels])
        if self.houston:
            fuse = [nn.Conv2d(inner_dim, inner_dim, 3, padding=1) for _ in range(3)]
        else:
            fuse = [conv3x3_norm_relu(inner_dim, inner_dim, groups) for _ in range(3)]
        self.fuse_3x3convs = nn.ModuleList([*fuse, nn.Conv2d(inner_dim, in_channels, 3, padding=1)])
        self.cls_pred_conv = nn.Conv2d(in_channels, num_classes, 1)
        if self.houston:
            self.SA = nn.ModuleList([LiteralSpatialAttention(inner=lambda x: x) for _ in block_channels])

    def features(self, x):
        """(N, B, H, W) standardised scene to the (N, B, H, W) output of the last fuse convolution."""
        levels = []
        for index, operation in enumerate(self.feature_ops):
            x = operation(x)
            if index in (1, 4, 7, 10):
                levels.append(x)
        laterals = [reduce(level) for reduce, level in zip(self.reduce_1x1convs, levels)]
        if self.houston:
            laterals = [lateral + lateral * attention(lateral) for lateral, attention in zip(laterals, self.SA)]
        laterals.reverse()
        x = self.fuse_3x3convs[0](laterals[0])
        for fuse, lateral in zip(self.fuse_3x3convs[1:], laterals[1:]):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False) + lateral
            x = fuse(x)
        return x

    def forward(self, x):
        """(N, B, H, W) to the class probabilities (N, K, H, W)."""
        return torch.softmax(self.cls_pred_conv(self.features(x)), dim=1)
