"""SSRN, the spectral-spatial residual network (a baseline of the release); A2S2K shares its second half."""

from torch import Tensor, nn

from a2s2k_resnet.folded_conv import BandsToChannels, DepthConv, SpectraConv, norm_relu
from a2s2k_resnet.residual import PlainBlock, spatial_conv, spectral_conv
from a2s2k_resnet.selective_kernel import KERNELS

MINIMUM_BANDS = 7
PATCH_SIDES = (7, 9, 11)
_DEPTH = 128  # channels after the bands are collapsed
_POOL = 5


def check_sizes(name: str, bands: int, patch: int) -> None:
    """Raises: ValueError where the kernels do not fit the bands, or the pooled map would not be one pixel."""
    if bands < MINIMUM_BANDS:
        raise ValueError(
            "%s needs at least %d bands for its spectral kernels, not %d; choose the network resnet or pyresnet "
            "(<scene>-resnet), which takes any number" % (name, MINIMUM_BANDS, bands)
        )
    if patch not in PATCH_SIDES:
        raise ValueError(
            "%s needs a patch side of %s, not %d: a 3×3 convolution without padding and a pooling of %d×%d must leave "
            "one pixel" % (name, ", ".join(map(str, PATCH_SIDES)), patch, _POOL, _POOL)
        )


def bands_to_channels(bands: int, kernels: int) -> BandsToChannels:
    """The convolution over all ceil((B−6)/2) bands that the stride-2 convolution of the first layers leaves."""
    return BandsToChannels(kernels, _DEPTH, (1, 1, (bands - 5) // 2))


def depth_conv(kernels: int) -> DepthConv:
    """128 channels, seen as depth, to F: 3×3 without padding."""
    return DepthConv(1, kernels, (3, 3, _DEPTH))


def channels_norm() -> nn.Sequential:
    return norm_relu(_DEPTH)


def pool(x: Tensor) -> Tensor:
    """AvgPool 5×5 with stride 5 of (N, F, 5..9, 5..9): (N, F), the mean of the top-left 5×5 pixels."""
    return x[:, :, :_POOL, :_POOL].mean(dim=(2, 3))


class SSRN(nn.Module):
    """(N, P, P, B) patches to class logits (N, K). P is 7, 9 or 11, B at least 7; F kernels."""

    def __init__(self, bands: int, num_classes: int, patch: int, kernels: int = KERNELS) -> None:
        super().__init__()
        check_sizes("SSRN", bands, patch)
        self.conv1 = SpectraConv(1, kernels, (1, 1, 7), stride=(1, 1, 2))
        self.batch_norm1 = norm_relu(kernels)
        self.res_net1 = PlainBlock(spectral_conv, kernels)
        self.res_net2 = PlainBlock(spectral_conv, kernels)
        self.res_net3 = PlainBlock(spatial_conv, kernels)
        self.res_net4 = PlainBlock(spatial_conv, kernels)
        self.conv2 = bands_to_channels(bands, kernels)
        self.batch_norm2 = channels_norm()
        self.conv3 = depth_conv(kernels)
        self.batch_norm3 = norm_relu(kernels)
        self.full_connection = nn.Sequential(nn.Dropout(0.5), nn.Linear(kernels, num_classes))

    def forward(self, patches: Tensor) -> Tensor:
        x = self.batch_norm1(self.conv1(patches))
        x = self.res_net2(self.res_net1(x))
        x = self.batch_norm2(self.conv2(x))
        x = self.batch_norm3(self.conv3(x))
        x = self.res_net4(self.res_net3(x))
        return self.full_connection(pool(x))
