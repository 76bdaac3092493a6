"""Deformable sampling of feature maps (S1, R5): every map is read at each pixel's position plus a learnt offset."""

from typing import Any

from apdclnn.tf_stack import tf, tflearn


def deform(x: Any, parts: int) -> Any:
    """R5: (M, H, W, parts·C) read at offsets that a 3×3 convolution of it predicts; initially zero.

    Each complex map has its own offsets; its real and imaginary part share them.
    """
    maps = x.get_shape().as_list()[-1] // parts
    offsets = tflearn.conv_2d(
        x, 2 * maps, 3, weights_init="zeros", bias_init="zeros", regularizer=None, scope="offsets"
    )
    return bilinear_sample(x, offsets, parts)


def bilinear_sample(x: Any, offsets: Any, parts: int) -> Any:
    """x(p + Δp) by bilinear interpolation.

    x: (M, H, W, parts·C), H and W static. offsets: (M, H, W, 2·C) in pixels, Δy of all maps before Δx. Coordinates are
    clipped to the patch.
    """
    _, height, width, channels = x.get_shape().as_list()
    maps = channels // parts
    down, right = tf.split(offsets, 2, axis=-1)
    rows = tf.reshape(tf.range(height, dtype=tf.float32), (1, height, 1, 1))
    columns = tf.reshape(tf.range(width, dtype=tf.float32), (1, 1, width, 1))
    y = tf.clip_by_value(rows + down, 0.0, height - 1.0)
    x_coordinate = tf.clip_by_value(columns + right, 0.0, width - 1.0)
    top, left = tf.floor(y), tf.floor(x_coordinate)
    below, beside = y - top, x_coordinate - left
    bottom, far = tf.minimum(top + 1, height - 1.0), tf.minimum(left + 1, width - 1.0)

    read = _Reader(x, maps, parts)
    above_row = _mix(read(top, left), read(top, far), beside)
    below_row = _mix(read(bottom, left), read(bottom, far), beside)
    sampled = _mix(above_row, below_row, below)  # (M, H, W, C, parts)
    return tf.reshape(tf.transpose(sampled, (0, 1, 2, 4, 3)), tf.shape(x))


def _mix(a: Any, b: Any, share: Any) -> Any:
    """a + share·(b − a); all parts have the same share (M, H, W, C)."""
    return a + share[..., None] * (b - a)


class _Reader:
    """Values of maps at whole coordinates: (M, H, W, C) rows and columns to (M, H, W, C, parts)."""

    def __init__(self, x: Any, maps: int, parts: int) -> None:
        _, height, width, _ = x.get_shape().as_list()
        self._width, self._maps, self._count = width, maps, height * width * maps
        split = tf.reshape(x, (-1, height, width, parts, maps))
        self._table = tf.reshape(tf.transpose(split, (0, 1, 2, 4, 3)), (-1, parts))
        patches = tf.reshape(tf.range(tf.shape(x)[0]) * self._count, (-1, 1, 1, 1))
        self._first = patches + tf.reshape(tf.range(maps), (1, 1, 1, maps))

    def __call__(self, rows: Any, columns: Any) -> Any:
        pixels = tf.cast(rows, tf.int32) * self._width + tf.cast(columns, tf.int32)
        return tf.gather(self._table, pixels * self._maps + self._first)
