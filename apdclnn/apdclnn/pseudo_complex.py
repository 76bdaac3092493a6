"""Pseudo-complex feature maps (S1, R3, R4): real and imaginary parts lie side by side in the channels of a real tensor.

A tensor of C complex maps has 2·C channels, the C real parts first. Without complex numbers (an ablation) it has C real
ones; `parts` is 2 or 1, respectively.
"""

from typing import Any, List

from apdclnn.layers import convolution, glorot, norm_relu
from apdclnn.tf_stack import tf, tflearn

REAL, COMPLEX = 1, 2
Numbers = List[Any]  # maps (M, H, W, C): real and imaginary parts, or real ones alone

_IMAGINARY_MAPS = 8  # channels between the two convolutions of R3


def complex_kernel(real: Any, imaginary: Any) -> Any:
    """R4 as one real kernel: [re; im] ∗ K gives Re = Wr∗xr − Wi∗xi and Im = Wi∗xr + Wr∗xi.

    real, imaginary: Wr and Wi (s, s, I, G, C), for I complex maps to G groups of C. Result: (s, s, 2·I, G·2·C), in
    every group the C real parts first.
    """
    rows = [tf.stack(pair, axis=-2) for pair in ((real, imaginary), (-imaginary, real))]  # (s, s, I, G, 2, C)
    kernel = tf.concat(rows, axis=2)
    side, _, inputs, groups, parts, maps = kernel.get_shape().as_list()
    return tf.reshape(kernel, (side, side, inputs, groups * parts * maps))


def kernel(name: str, side: int, inputs: int, groups: int, maps: int, parts: int) -> Any:
    """A trainable kernel in its real form, (side, side, parts·inputs, groups·parts·maps), Glorot-initialised."""
    shape = (side, side, inputs, groups * maps)
    weights = [
        tflearn.variables.variable("%s_%s" % (name, part), shape, initializer=glorot()) for part in ("re", "im")[:parts]
    ]
    if parts == REAL:
        return weights[0]
    return complex_kernel(*(tf.reshape(one, (side, side, inputs, groups, maps)) for one in weights))


def convolve(x: Any, weights: Any) -> Any:
    """(M, H, W, parts·I) with a kernel of `kernel`, zero-padded, stride 1."""
    return tf.nn.conv2d(x, weights, [1, 1, 1, 1], "SAME")


def product(a: Numbers, b: Numbers) -> Numbers:
    """R4: product of two maps, number by number; complex: (ar·br − ai·bi) + j(ar·bi + ai·br)."""
    if len(a) == REAL:
        return [a[0] * b[0]]
    (a_re, a_im), (b_re, b_im) = a, b
    return [a_re * b_re - a_im * b_im, a_re * b_im + a_im * b_re]


def with_imaginary_part(x: Any) -> Any:
    """R3: (M, H, W, 1) real to (M, H, W, 2), its imaginary part learnt by BN–ReLU–Conv3×3–BN–ReLU–Conv3×3."""
    maps = x
    for number, filters in enumerate((_IMAGINARY_MAPS, 1), start=1):
        maps = convolution(norm_relu(maps, "imaginary_norm%d" % number), filters, 3, "imaginary_conv%d" % number)
    return tf.concat([x, maps], axis=-1)
