"""The plain layers all parts of the network share, from tflearn."""

from typing import Any

from apdclnn.tf_stack import tf, tflearn


def glorot() -> Any:
    """The initialisation of every kernel: uniform, variance 2 / (inputs + outputs)."""
    return tf.glorot_uniform_initializer()


def convolution(x: Any, filters: int, side: int, scope: str) -> Any:
    """A zero-padded convolution with bias, without activation."""
    return tflearn.conv_2d(x, filters, side, weights_init=glorot(), regularizer=None, scope=scope)


def fully_connected(x: Any, units: int, scope: str) -> Any:
    """x flattened to (N, ·), times a matrix, plus bias."""
    return tflearn.fully_connected(x, units, weights_init=glorot(), regularizer=None, scope=scope)


def norm_relu(x: Any, scope: str) -> Any:
    """ReLU of BatchNorm over patches and pixels: statistics of the mini-batch in training, moving ones otherwise."""
    return tf.nn.relu(tflearn.batch_normalization(x, scope=scope))


def halved(x: Any) -> Any:
    """(M, p, p, C) to (M, p // 2, p // 2, C): means of 2×2 pixels, which are defined for complex numbers, too."""
    return tflearn.avg_pool_2d(x, 2, padding="valid")
