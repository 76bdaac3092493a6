"""PDConvLSTM2D equation by equation: every step samples its input, and every gate has its four real convolutions.

The variables have the names, shapes and order of `apdclnn.pd_conv_lstm`, so that both can be given the same numbers.
"""

import numpy as np

from apdclnn.layers import glorot
from apdclnn.tf_stack import tf, tflearn

GATES = ("i", "f", "o", "g")


def conv(x, weights):
    return tf.nn.conv2d(x, weights, [1, 1, 1, 1], "SAME")


def complex_conv(x, weights):
    """R4: (Re, Im) of W∗x for (re, im) pairs."""
    (x_re, x_im), (w_re, w_im) = x, weights
    return conv(x_re, w_re) - conv(x_im, w_im), conv(x_re, w_im) + conv(x_im, w_re)


def complex_product(a, b):
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def sample(x, down, right):
    """x(y + Δy, x + Δx), bilinear, clipped, for (N, H, W, C) and as many offsets."""
    _, height, width, maps = x.get_shape().as_list()
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    y = tf.clip_by_value(rows[None, :, :, None] + down, 0.0, height - 1.0)
    z = tf.clip_by_value(columns[None, :, :, None] + right, 0.0, width - 1.0)
    patches = tf.ones_like(y, tf.int32) * tf.reshape(tf.range(tf.shape(x)[0]), (-1, 1, 1, 1))
    channels = tf.ones_like(patches) * tf.reshape(tf.range(maps), (1, 1, 1, maps))
    value = 0.0
    for a in (tf.floor(y), tf.floor(y) + 1):
        for b in (tf.floor(z), tf.floor(z) + 1):
            at = [patches, tf.cast(tf.minimum(a, height - 1.0), tf.int32),
                  tf.cast(tf.minimum(b, width - 1.0), tf.int32), channels]  # fmt: skip
            value += (1 - tf.abs(y - a)) * (1 - tf.abs(z - b)) * tf.gather_nd(x, tf.stack(at, axis=-1))
    return value


def variables(inputs, maps, side):
    """W, U as pairs of (re, im) kernels per gate, b as pairs per gate."""

    def pairs(name, channels):
        both = [
            tflearn.variables.variable("%s_%s" % (name, part), (side, side, channels, 4 * maps), initializer=glorot())
            for part in ("re", "im")
        ]
        return dict(zip(GATES, zip(*(tf.split(one, 4, axis=-1) for one in both))))

    w, u = pairs("W", inputs), pairs("U", maps)
    bias = tf.split(tflearn.variables.variable("b", (8 * maps,), initializer=tf.zeros_initializer()), 8)
    return w, u, dict(zip(GATES, zip(bias[::2], bias[1::2])))


def pd_conv_lstm(x, maps, parts, deformable, scope, side=3):
    """As `apdclnn.pd_conv_lstm.pd_conv_lstm` with complex numbers and deformation."""
    assert parts == 2 and deformable
    inputs = x.get_shape().as_list()[-1] // 2
    states = []
    with tf.variable_scope(scope):
        w, u, b = variables(inputs, maps, side)
        h = c = None
        for t, x_t in enumerate(tf.unstack(x)):
            offsets = tflearn.conv_2d(x_t, 2 * inputs, 3, weights_init="zeros", bias_init="zeros", regularizer=None,
                                      scope="offsets", reuse=t > 0)  # fmt: skip
            down, right = tf.split(offsets, 2, axis=-1)
            moved = [sample(part, down, right) for part in tf.split(x_t, 2, axis=-1)]
            z = {}
            for gate in GATES:
                z[gate] = [part + bias for part, bias in zip(complex_conv(moved, w[gate]), b[gate])]
                if h is not None:
                    z[gate] = [a + r for a, r in zip(z[gate], complex_conv(h, u[gate]))]
            i, o, g = (
                [f(part) for part in z[gate]] for gate, f in (("i", tf.sigmoid), ("o", tf.sigmoid), ("g", tf.tanh))
            )
            forget = [tf.sigmoid(part + 1.0) for part in z["f"]]
            new = complex_product(i, g)
            c = new if c is None else [a + n for a, n in zip(complex_product(forget, c), new)]
            h = complex_product(o, [tf.tanh(part) for part in c])
            states.append(tf.concat(h, axis=-1))
        return tf.stack(states)
