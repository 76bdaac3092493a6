"""BatchNorm over patches, pixels and channels, a statistic per *band* (axis 3, as in the release), in few passes.

For the band axis TensorFlow has no fused kernel, and Keras' own operations with their gradients make about twice as
many passes over the maps. Its parameters have the length of all bands, also where only every second is computed.
"""

from typing import Any, Tuple

from da_imrn.keras_stack import keras, tf

MOMENTUM, EPSILON = 0.99, 1e-6

K = keras.backend


class BandNorm(keras.layers.BatchNormalization):
    """The BatchNorm of bands 0, n, 2n, ... of D; the parameters and moving statistics of the others stay as they are.

    bands: D. every: n.
    """

    def __init__(self, bands: int, every: int = 1) -> None:
        super().__init__(momentum=MOMENTUM, epsilon=EPSILON)
        self._bands, self._every = bands, every

    def build(self, input_shape: Any) -> None:
        """Called by Keras."""
        super().build((None, self._bands))
        self.input_spec = None  # the maps have more axes, and perhaps fewer bands, than the shape above

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Called by Keras."""
        phase = K.learning_phase() if training is None else training
        gamma, beta, mean, variance = (
            weights[:: self._every] for weights in (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        )

        def by_moving_statistics() -> Any:
            scale = gamma * tf.math.rsqrt(variance + EPSILON)
            return inputs * scale[:, None] + (beta - mean * scale)[:, None]

        if isinstance(phase, (bool, int)) and not phase:
            return by_moving_statistics()
        _, _, _, used, channels = K.int_shape(inputs)
        maps = tf.reshape(inputs, (-1, used, channels))
        normed, of_batch, spread = normalise(maps, gamma, beta)
        count = K.cast(tf.shape(maps)[0] * channels, K.floatx())
        self.add_update(
            [
                self._moved(self.moving_mean, of_batch - mean),
                self._moved(self.moving_variance, spread * count / (count - (1 + EPSILON)) - variance),
            ]
        )
        normed = tf.reshape(normed, tf.shape(inputs))
        # not `phase`: Keras 2.3.1 tells a network of its learning phase only where none is given
        return K.in_train_phase(normed, by_moving_statistics, training)

    def _moved(self, moving: Any, by: Any) -> Any:
        of_all = tf.reshape(tf.pad(by[:, None], [[0, 0], [0, self._every - 1]]), (-1,))[: self._bands]
        return K.update(moving, moving + (1 - MOMENTUM) * of_all)


@tf.custom_gradient
def normalise(x: Any, gamma: Any, beta: Any) -> Any:
    """γ·(x − μ)/√(σ² + ε) + β of (M, D, C) maps, with μ and σ² of every band (D); returns μ and σ², too.

    The gradients do not flow through the returned statistics.
    """
    _, bands, channels = K.int_shape(x)
    count = K.cast(tf.shape(x)[0] * channels, K.floatx())

    def total(maps: Any) -> Any:
        """Sums (D). The product with ones reads the maps once, faster than TensorFlow's sum."""
        flat = tf.reshape(maps, (-1, bands * channels))
        of_rows = tf.matmul(tf.ones((1, tf.shape(flat)[0])), flat)
        return tf.reduce_sum(tf.reshape(of_rows, (bands, channels)), 1)

    mean = total(x) / count
    centred = x - mean[:, None]
    variance = total(tf.square(centred)) / count
    inverse = tf.math.rsqrt(variance + EPSILON)
    scale = gamma * inverse

    def gradients(upstream: Any, *_: Any) -> Tuple[Any, Any, Any]:
        of_beta, of_centred = total(upstream), total(upstream * centred)
        slope = scale * tf.square(inverse) * of_centred / count
        of_x = upstream * scale[:, None] - (centred * slope[:, None] + (scale * of_beta / count)[:, None])
        return of_x, of_centred * inverse, of_beta

    return (centred * scale[:, None] + beta[:, None], mean, variance), gradients
