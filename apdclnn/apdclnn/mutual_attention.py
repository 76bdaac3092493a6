"""MAMLF (S4, R9): deep and Gabor maps weight each other, then are fused."""

from typing import Any, List, Sequence

from apdclnn.layers import convolution, halved, norm_relu
from apdclnn.tf_stack import tf


def gabor_maps(gabor_patches: Any, widths: Sequence[int]) -> List[Any]:
    """Maps of the Gabor features (N, P, P, T) at every scale: conv 3×3 – BN – ReLU, halved between the scales.

    widths: channels of the scales.
    """
    maps, x = [], gabor_patches
    for number, filters in enumerate(widths, start=1):
        x = convolution(halved(x) if number > 1 else x, filters, 3, "gabor_conv%d" % number)
        x = norm_relu(x, "gabor_norm%d" % number)
        maps.append(x)
    return maps


def mamlf(deep: Any, gabor: Any, scope: str) -> Any:
    """R9: D' = D + D·σ(conv G), G' = G + G·σ(conv D), fused = conv1×1 [D'; G']; all (N, p, p, C)."""
    channels = deep.get_shape().as_list()[-1]
    with tf.variable_scope(scope):
        deep_weighed = deep + deep * tf.sigmoid(convolution(gabor, channels, 1, "of_gabor"))
        gabor_weighed = gabor + gabor * tf.sigmoid(convolution(deep, channels, 1, "of_deep"))
        return convolution(tf.concat([deep_weighed, gabor_weighed], axis=-1), channels, 1, "fused")
