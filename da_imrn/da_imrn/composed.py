"""Parallel convolutions along the bands and the one that merges them, as the one convolution they are together.

Nothing between them is nonlinear: the sum over scales s of (x ∗ K_s + b_s)·M_s, plus b, is x ∗ (Σ K_s·M_s) plus
(Σ b_s·M_s + b), with every K_s padded by zeros to the longest. One convolution of F3 channels has fewer products than
those of 3·F2, and their maps are not needed.
"""

from typing import Any, List, Sequence, Tuple

from da_imrn.keras_stack import keras, tf

layers = keras.layers
K = keras.backend


def along_bands(x: Any, kernels: Sequence[int], narrow: int, wide: int, every: int) -> Any:
    """A 1×1×1 convolution of the concatenation of parallel ones: bands 0, n, 2n, ... of (N, b, b, D, wide).

    x: (N, b, b, D, F). kernels: odd numbers of bands, the longest last. narrow, wide: filters of each parallel
    convolution and of the merging one. every: n.
    """
    scales = [Scale(narrow, bands, kernels[-1])(x) for bands in kernels]
    stacked = layers.Concatenate()([kernel for kernel, _ in scales])
    return Merged(wide, every)([x, stacked] + [bias for _, bias in scales])


class _Weights(keras.layers.Layer):
    """Kernel and bias of a Conv3D, whose automatic name it has: layers are numbered in the order of their making."""

    def __init__(self, filters: int) -> None:
        super().__init__(name=layers.Conv3D(filters, 1).name)
        self._filters = filters

    def _add_weights(self, bands: int, channels: int) -> None:
        shape = (1, 1, bands, channels, self._filters)
        self._kernel = self.add_weight(name="kernel", shape=shape, initializer="he_normal")
        self._bias = self.add_weight(name="bias", shape=(self._filters,), initializer="zeros")


class Scale(_Weights):
    """One of the parallel convolutions, not computed: (N, b, b, D, F) to its kernel (1, 1, k, F, filters) and bias.

    bands: of the kernel, which zeros pad to k bands.
    """

    def __init__(self, filters: int, bands: int, k: int) -> None:
        super().__init__(filters)
        self._bands, self._k = bands, k

    def build(self, shape: Any) -> None:
        """Called by Keras."""
        self._add_weights(self._bands, shape[-1])
        super().build(shape)

    def call(self, inputs: Any) -> List[Any]:
        """Called by Keras."""
        margin = (self._k - self._bands) // 2
        return [tf.pad(self._kernel, [[0, 0], [0, 0], [margin, margin], [0, 0], [0, 0]]), tf.identity(self._bias)]

    def compute_output_shape(self, shape: Any) -> List[Tuple[int, ...]]:
        """Called by Keras."""
        return [(1, 1, self._k, shape[-1], self._filters), (self._filters,)]


class Merged(_Weights):
    """x, kernels of all scales (1, 1, k, F, ·) and their biases to bands 0, n, 2n, ... of the merging convolution."""

    def __init__(self, filters: int, every: int) -> None:
        super().__init__(filters)
        self._every = every

    def build(self, shapes: Any) -> None:
        """Called by Keras."""
        self._add_weights(1, shapes[1][-1])
        super().build(shapes)

    def call(self, inputs: Any) -> Any:
        """Called by Keras."""
        x, stacked, biases = inputs[0], inputs[1], inputs[2:]
        _, _, k, channels, narrow = K.int_shape(stacked)
        merging = tf.reshape(self._kernel, (narrow, self._filters))
        kernel = tf.matmul(tf.reshape(stacked, (-1, narrow)), merging)
        bias = tf.matmul(tf.expand_dims(tf.concat(biases, 0), 0), merging)[0] + self._bias
        # zeros before and after; with tf.pad TensorFlow reports a fusion that fails
        zeros = [K.zeros_like(x[:, :, :, :1])] * (k // 2)
        y = tf.nn.conv3d(
            tf.concat(zeros + [x] + zeros, 3),
            tf.reshape(kernel, (1, 1, k, channels, self._filters)),
            (1, 1, 1, self._every, 1),
            "VALID",
        )
        return tf.nn.bias_add(y, bias)

    def compute_output_shape(self, shapes: Any) -> Any:
        """Called by Keras."""
        return shapes[0][:3] + (-(-shapes[0][3] // self._every), self._filters)
