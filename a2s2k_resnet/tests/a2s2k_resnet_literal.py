"""The five networks written layer by layer: the slow oracle the fast networks are measured against.

Every convolution is the Conv3d or Conv2d the release names, every pooling and normalisation a module of PyTorch, in
the release's order. Nothing here is optimised; nothing outside tests and benchmarks imports it. The state_dict keys
are those of the release, so weights move freely between this module and the package.

All networks take (N, P, P, B) patches, as those of the package do.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

KERNELS = 24


def norm_relu(channels):
    return nn.Sequential(nn.BatchNorm3d(channels, eps=0.001, momentum=0.1), nn.ReLU())


class LiteralECA(nn.Module):
    """Scale channels by the sigmoid of a 3×3 convolution over the (1, F) image of channel averages."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)

    def forward(self, x):
        average = F.adaptive_avg_pool3d(x, 1)  # (N, F, 1, 1, 1)
        image = average.flatten(1)[:, None, None, :]  # (N, 1, 1, F)
        gate = torch.sigmoid(self.conv(image))
        return x * gate.flatten(1)[:, :, None, None, None]


class LiteralA2S2KBlock(nn.Module):
    """place: 'first', 'middle' or 'last' of the network's residual blocks."""

    def __init__(self, kernel, padding, place):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv3d(KERNELS, KERNELS, kernel, padding=padding), nn.ReLU())
        self.conv2 = nn.Conv3d(KERNELS, KERNELS, kernel, padding=padding)
        if place != "first":
            self.bn0 = nn.BatchNorm3d(KERNELS)
        self.bn1 = nn.BatchNorm3d(KERNELS)
        self.bn2 = nn.BatchNorm3d(KERNELS)
        self.ecalayer = LiteralECA()
        self.place = place

    def forward(self, x):
        identity = x
        if self.place != "first":
            x = F.relu(self.bn0(x))
        x = self.conv1(x)
        x = F.relu(self.bn1(x))
        x = self.conv2(x)
        if self.place == "first":
            x = self.bn2(x)
        x = self.ecalayer(x) + identity
        if self.place == "last":
            x = F.relu(self.bn2(x))
        return x


class LiteralA2S2K(nn.Module):
    """variant: 'shared' or 'per_branch'."""

    def __init__(self, bands, num_classes, variant="shared"):
        super().__init__()
        self.conv1x1 = nn.Conv3d(1, KERNELS, (1, 1, 7), stride=(1, 1, 2))
        self.conv3x3 = nn.Conv3d(1, KERNELS, (3, 3, 7), stride=(1, 1, 2), padding=(1, 1, 0))
        self.batch_norm1x1 = norm_relu(KERNELS)
        self.batch_norm3x3 = norm_relu(KERNELS)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.conv_se = nn.Sequential(nn.Conv3d(KERNELS, bands // 2, 1), nn.ReLU())
        if variant == "shared":
            self.conv_ex = nn.Conv3d(bands // 2, KERNELS, 1)
        else:
            self.conv_ex1x1 = nn.Conv3d(bands // 2, KERNELS, 1)
            self.conv_ex3x3 = nn.Conv3d(bands // 2, KERNELS, 1)
        self.variant = variant
        self.res_net1 = LiteralA2S2KBlock((1, 1, 7), (0, 0, 3), "first")
        self.res_net2 = LiteralA2S2KBlock((1, 1, 7), (0, 0, 3), "middle")
        self.res_net3 = LiteralA2S2KBlock((3, 3, 1), (1, 1, 0), "middle")
        self.res_net4 = LiteralA2S2KBlock((3, 3, 1), (1, 1, 0), "last")
        self.conv2 = nn.Conv3d(KERNELS, 128, (1, 1, math.ceil((bands - 6) / 2)))
        self.batch_norm2 = norm_relu(128)
        self.conv3 = nn.Conv3d(1, KERNELS, (3, 3, 128))
        self.batch_norm3 = norm_relu(KERNELS)
        self.avg_pooling = nn.AvgPool3d((5, 5, 1))
        self.full_connection = nn.Sequential(nn.Linear(KERNELS, num_classes))

    def attention(self, u):
        """(N, 2, F, 1, 1, 1) weights of the two branches, from their sum."""
        squeezed = self.conv_se(self.pool(u))
        if self.variant == "shared":
            excited = [self.conv_ex(squeezed), self.conv_ex(squeezed)]
        else:
            excited = [self.conv_ex1x1(squeezed), self.conv_ex3x3(squeezed)]
        return torch.softmax(torch.stack(excited, dim=1), dim=1)

    def forward(self, x):
        x = x.unsqueeze(1)
        x1 = self.batch_norm1x1(self.conv1x1(x))
        x3 = self.batch_norm3x3(self.conv3x3(x))
        branches = torch.stack([x1, x3], dim=1)
        x = (branches * self.attention(branches.sum(dim=1))).sum(dim=1)
        x = self.res_net2(self.res_net1(x))
        x = self.batch_norm2(self.conv2(x)).permute(0, 4, 2, 3, 1)
        x = self.batch_norm3(self.conv3(x))
        x = self.res_net4(self.res_net3(x))
        return self.full_connection(self.avg_pooling(x).flatten(1))


class LiteralSSRNBlock(nn.Module):
    def __init__(self, kernel, padding):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv3d(KERNELS, KERNELS, kernel, padding=padding), nn.ReLU())
        self.conv2 = nn.Conv3d(KERNELS, KERNELS, kernel, padding=padding)
        self.bn1 = nn.BatchNorm3d(KERNELS)
        self.bn2 = nn.BatchNorm3d(KERNELS)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + x)


class LiteralSSRN(nn.Module):
    def __init__(self, bands, num_classes):
        super().__init__()
        self.conv1 = nn.Conv3d(1, KERNELS, (1, 1, 7), stride=(1, 1, 2))
        self.batch_norm1 = norm_relu(KERNELS)
        self.res_net1 = LiteralSSRNBlock((1, 1, 7), (0, 0, 3))
        self.res_net2 = LiteralSSRNBlock((1, 1, 7), (0, 0, 3))
        self.res_net3 = LiteralSSRNBlock((3, 3, 1), (1, 1, 0))
        self.res_net4 = LiteralSSRNBlock((3, 3, 1), (1, 1, 0))
        self.conv2 = nn.Conv3d(KERNELS, 128, (1, 1, math.ceil((bands - 6) / 2)))
        self.batch_norm2 = norm_relu(128)
        self.conv3 = nn.Conv3d(1, KERNELS, (3, 3, 128))
        self.batch_norm3 = norm_relu(KERNELS)
        self.avg_pooling = nn.AvgPool3d((5, 5, 1))
        self.full_connection = nn.Sequential(nn.Dropout(0.5), nn.Linear(KERNELS, num_classes))

    def forward(self, x):
        x = self.batch_norm1(self.conv1(x.unsqueeze(1)))
        x = self.res_net2(self.res_net1(x))
        x = self.batch_norm2(self.conv2(x)).permute(0, 4, 2, 3, 1)
        x = self.batch_norm3(self.conv3(x))
        x = self.res_net4(self.res_net3(x))
        return self.full_connection(self.avg_pooling(x).flatten(1))


class LiteralBasicBlock(nn.Module):
    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + identity)


def literal_stage(channels_in, channels, blocks, stride):
    first = LiteralBasicBlock(channels_in, channels, stride)
    return nn.Sequential(first, *[LiteralBasicBlock(channels, channels, 1) for _ in range(blocks - 1)])


class LiteralTrunk(nn.Module):
    def __init__(self, bands):
        super().__init__()
        self.conv1 = nn.Conv2d(bands, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = literal_stage(64, 64, 3, 1)
        self.layer2 = literal_stage(64, 128, 4, 2)
        self.layer3 = literal_stage(128, 256, 6, 2)
        self.layer4 = literal_stage(256, 512, 3, 2)

    def stages(self, x):
        """(N, P, P, B) to the outputs of stages 2, 3 and 4."""
        x = x.permute(0, 3, 1, 2).contiguous()
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        second = self.layer2(self.layer1(x))
        third = self.layer3(second)
        return second, third, self.layer4(third)


class LiteralResNet(LiteralTrunk):
    def __init__(self, bands, num_classes):
        super().__init__(bands)
        self.fc = nn.Linear(512, num_classes)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.stages(x)[-1], 1).flatten(1))


class LiteralPyResNet(LiteralTrunk):
    def __init__(self, bands, num_classes):
        super().__init__(bands)
        for stage, channels in ((2, 128), (3, 256), (4, 512)):
            head = nn.Sequential(
                nn.Linear(channels, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, num_classes)
            )
            setattr(self, "fc%d" % stage, head)

    def forward(self, x):
        second, third, fourth = [F.adaptive_max_pool2d(stage, 1).flatten(1) for stage in self.stages(x)]
        return self.fc2(second) + self.fc3(third) + self.fc4(fourth)


class LiteralContextualNet(nn.Module):
    def __init__(self, bands, num_classes, patch):
        super().__init__()
        self.conv_3x3 = nn.Conv3d(1, 128, (3, 3, bands), padding=(1, 1, 0))
        self.conv_1x1 = nn.Conv3d(1, 128, (1, 1, bands))
        self.conv1 = nn.Conv2d(256, 128, 1)
        for index in range(2, 8):
            setattr(self, "conv%d" % index, nn.Conv2d(128, 128, 1))
        self.conv8 = nn.Conv2d(128, num_classes, patch)
        self.norm1, self.norm2 = nn.LocalResponseNorm(256), nn.LocalResponseNorm(128)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        x = x.unsqueeze(1)
        x = torch.cat([self.conv_3x3(x), self.conv_1x1(x)], dim=1).squeeze(4)
        x = F.relu(self.norm1(x))
        x = F.relu(self.norm2(self.conv1(x)))
        x = F.relu(x + self.conv3(F.relu(self.conv2(x))))
        x = F.relu(x + self.conv5(F.relu(self.conv4(x))))
        x = self.dropout(F.relu(self.conv6(x)))
        x = self.dropout(F.relu(self.conv7(x)))
        return self.conv8(x).flatten(1)


def literal_network(model, bands, num_classes, patch, variant="shared"):
    """The literal network of a model name of `a2s2k_resnet.network.MODELS`."""
    if model == "a2s2k":
        return LiteralA2S2K(bands, num_classes, variant)
    if model == "contextualnet":
        return LiteralContextualNet(bands, num_classes, patch)
    return {"ssrn": LiteralSSRN, "resnet": LiteralResNet, "pyresnet": LiteralPyResNet}[model](bands, num_classes)
