"""The adaptive kernel: a (1,1,7) and a (3,3,7) branch, blended by an attention over the two.

    U = x1 + x3        S = mean of U over pixels and bands        z = ReLU(W_se S + b_se)
    (a1, a3) = softmax over the branches of (excitation 1 of z, excitation 3 of z)        V = a1·x1 + a3·x3

Two forms:

`shared`, the release: one excitation convolution `conv_ex` serves both branches. The softmax runs over two equal
    vectors, so a1 = a3 = ½ whatever the input and the weights are, and the derivative with respect to `conv_se` and
    `conv_ex` is zero (the two branches' contributions cancel). V = ½(x1 + x3) is therefore computed directly. The
    parameters exist, as in the release's checkpoints; they get no gradient and an optimiser leaves them as they are.
    (In the release their gradient is rounding noise of 1e-8, which moves them without any effect on the output.)

`per_branch`, the paper's text: each branch has its own excitation, so the network can prefer a branch by channel.
"""

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2s2k_resnet.folded_conv import NeighbourhoodConv, SpectraConv, norm_relu

KERNELS = 24  # F, channels of every convolution but one; the release's -k
REDUCTION = 2  # the squeezed vector has B // 2 entries
FORMS = ("shared", "per_branch")


def pointwise(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """A 1×1×1 convolution of (N, C) vectors: (N, F)."""
    return F.linear(x, conv.weight.flatten(1), conv.bias)


class SelectiveKernel(nn.Module):
    """The network's first layers; a base class, because their parameters have no prefix in official checkpoints.

    bands: B, at least 7. kernels: F. form: one of `FORMS`.
    """

    def __init__(self, bands: int, kernels: int, form: str) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError("unknown form '%s' of the selective kernel; there are: %s" % (form, ", ".join(FORMS)))
        self.form = form
        squeezed = bands // REDUCTION
        self.conv1x1 = SpectraConv(1, kernels, (1, 1, 7), stride=(1, 1, 2))
        self.conv3x3 = NeighbourhoodConv(1, kernels, (3, 3, 7), stride=(1, 1, 2), padding=(1, 1, 0))
        self.batch_norm1x1 = norm_relu(kernels)
        self.batch_norm3x3 = norm_relu(kernels)
        self.conv_se = nn.Sequential(nn.Conv3d(kernels, squeezed, 1), nn.ReLU())
        if form == "shared":
            self.conv_ex = nn.Conv3d(squeezed, kernels, 1)
        else:
            self.conv_ex1x1 = nn.Conv3d(squeezed, kernels, 1)
            self.conv_ex3x3 = nn.Conv3d(squeezed, kernels, 1)

    def branches(self, patches: Tensor) -> Tuple[Tensor, Tensor]:
        """(N, P, P, B) patches to the two branches (N, F, P·P, D)."""
        return self.batch_norm1x1(self.conv1x1(patches)), self.batch_norm3x3(self.conv3x3(patches))

    def attention(self, x1: Tensor, x3: Tensor) -> Tensor:
        """(N, 2, F) weights of the branches; they sum to 1 over the second axis."""
        squeezed = F.relu(pointwise(self.conv_se[0], (x1 + x3).mean(dim=(2, 3))))
        if self.form == "shared":
            excited = [pointwise(self.conv_ex, squeezed)] * 2
        else:
            excited = [pointwise(self.conv_ex1x1, squeezed), pointwise(self.conv_ex3x3, squeezed)]
        return torch.softmax(torch.stack(excited, dim=1), dim=1)

    def select(self, patches: Tensor) -> Tensor:
        """(N, P, P, B) patches to the blended features (N, F, P·P, D)."""
        x1, x3 = self.branches(patches)
        if self.form == "shared":
            return (x1 + x3) * 0.5
        weights = self.attention(x1, x3)[..., None, None]
        return x1 * weights[:, 0] + x3 * weights[:, 1]
