"""A2S2K-ResNet, top-down: adaptive kernel, two spectral blocks, bands to channels, two spatial blocks, classifier.

Every network of the package takes patches as they are gathered, (N, P, P, B) float32: N patches of P×P pixels with B
bands each, P odd, and gives class logits (N, K). Module and parameter names are the release's, so official
checkpoints load.
"""

from typing import Callable, Dict

from torch import Tensor, nn

from a2s2k_resnet.contextualnet import ContextualNet
from a2s2k_resnet.folded_conv import norm_relu
from a2s2k_resnet.residual import AttentionBlock, spatial_conv, spectral_conv
from a2s2k_resnet.resnet import PyResNet34, ResNet34
from a2s2k_resnet.selective_kernel import KERNELS, SelectiveKernel
from a2s2k_resnet.ssrn import SSRN, bands_to_channels, channels_norm, check_sizes, depth_conv, pool


class A2S2KResNet(SelectiveKernel):
    """(N, P, P, B) patches to class logits (N, K). P is 7, 9 or 11, B at least 7.

    form: `shared` or `per_branch`, see `selective_kernel`. kernels: F.
    """

    def __init__(self, bands: int, num_classes: int, patch: int, kernels: int = KERNELS, form: str = "shared") -> None:
        check_sizes("A2S2K-ResNet", bands, patch)
        super().__init__(bands, kernels, form)
        self.res_net1 = AttentionBlock(spectral_conv, "first", kernels)
        self.res_net2 = AttentionBlock(spectral_conv, "middle", kernels)
        self.res_net3 = AttentionBlock(spatial_conv, "middle", kernels)
        self.res_net4 = AttentionBlock(spatial_conv, "last", kernels)
        self.conv2 = bands_to_channels(bands, kernels)
        self.batch_norm2 = channels_norm()
        self.conv3 = depth_conv(kernels)
        self.batch_norm3 = norm_relu(kernels)
        self.full_connection = nn.Sequential(nn.Linear(kernels, num_classes))

    def forward(self, patches: Tensor) -> Tensor:
        x = self.select(patches)
        x = self.res_net2(self.res_net1(x))
        x = self.batch_norm2(self.conv2(x))
        x = self.batch_norm3(self.conv3(x))
        x = self.res_net4(self.res_net3(x))
        return self.full_connection(pool(x))


HAVE_KERNELS = {"a2s2k": "A2S2K-ResNet", "ssrn": "SSRN"}  # with their titles; the others' widths are their own

MODELS: Dict[str, Callable[..., nn.Module]] = {
    "a2s2k": A2S2KResNet,
    "ssrn": SSRN,
    "resnet": ResNet34,
    "pyresnet": PyResNet34,
    "contextualnet": ContextualNet,
}


def check_network(model: str, bands: int, patch: int, kernels: int = KERNELS) -> None:
    """Raises: ValueError for an unknown model, an even patch side, or sizes the network does not take."""
    if model not in MODELS:
        raise ValueError("unknown model '%s'; there are: %s" % (model, ", ".join(MODELS)))
    if patch < 1 or patch % 2 == 0:
        raise ValueError("the patch side must be odd, so that a pixel stands in the middle, not %d" % patch)
    if model in HAVE_KERNELS:
        check_sizes(HAVE_KERNELS[model], bands, patch)
    elif kernels != KERNELS:
        raise ValueError("only %s have a number of kernels to choose, not %s" % (" and ".join(HAVE_KERNELS), model))


def build_network(
    model: str, bands: int, num_classes: int, patch: int, form: str = "shared", kernels: int = KERNELS
) -> nn.Module:
    """A network of `MODELS` with fresh weights, for patches of patch × patch pixels.

    form: of the selective kernel; read by `a2s2k` alone. kernels: F, of `HAVE_KERNELS` alone.
    Raises: ValueError as `check_network`, and for an unknown form.
    """
    check_network(model, bands, patch, kernels)
    if model == "a2s2k":
        return A2S2KResNet(bands, num_classes, patch, kernels, form)
    if model in HAVE_KERNELS:
        return MODELS[model](bands, num_classes, patch, kernels)
    return MODELS[model](bands, num_classes, patch)
