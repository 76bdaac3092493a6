"""The multi-scale residual blocks: MSpeRB along the bands, MSpaRB over the pixels. They differ only in their kernels.

    x → conv 1×1×1 → BN ┬→ parallel convs → concatenation → conv 1×1×1 → BN ┬→ + → ReLU
                        └───────────────────────────────────────────────────┘
      → conv along the bands (1,1,v), not padded → BN → ReLU

x has only the bands that the release's strided first convolution reads. BN is that of `norm`, over bands.
"""

from typing import Any

from da_imrn.attention import conv
from da_imrn.composed import along_bands
from da_imrn.keras_stack import keras, tf
from da_imrn.norm import BandNorm

SPECTRAL_KERNELS = (3, 5, 7)  # bands

SPATIAL_KERNELS = {
    "three_kernels": ((3, 3, 1), (5, 5, 1), (7, 7, 1)),
    # the release on Indian Pines: of two convolutions only this one is connected, so the block's receptive field is 1×1
    "pointwise": ((1, 1, 1),),
}

layers = keras.layers
K = keras.backend


def spectral_block(x: Any, narrow: int, wide: int, band_kernel: int, every: int = 1) -> Any:
    """MSpeRB: (N, b, b, D, F) to bands 0, n, 2n, ... of (N, b, b, D − band_kernel + 1, wide).

    narrow: F2, filters of each parallel convolution. wide: F3, those of all others. band_kernel: v, the depth of the
    last convolution. every: n; the next stage reads no other band.
    """
    bands = _bands(x)
    # as early as possible: a last convolution over one band reads no other than those that are used, either
    early, late = (every, 1) if band_kernel == 1 else (1, every)
    shortcut = BandNorm(bands)(conv(x, wide, (1, 1, 1)))
    residual = BandNorm(bands, early)(along_bands(shortcut, SPECTRAL_KERNELS, narrow, wide, early))
    x = layers.Activation("relu")(layers.Add()([residual, Every(early)(shortcut)]))
    x = conv(x, wide, (1, 1, band_kernel), strides=(1, 1, late))
    return layers.Activation("relu")(BandNorm(bands - band_kernel + 1, every)(x))


def spatial_block(x: Any, narrow: int, wide: int, band_kernel: int, form: str) -> Any:
    """MSpaRB: as `spectral_block`, with the parallel kernels of a form of `SPATIAL_KERNELS`, and all bands."""
    bands = _bands(x)
    shortcut = BandNorm(bands)(conv(x, wide, (1, 1, 1)))
    scales = [conv(shortcut, narrow, kernel, padding="same") for kernel in SPATIAL_KERNELS[form]]
    merged = layers.Concatenate()(scales) if len(scales) > 1 else scales[0]
    residual = BandNorm(bands)(conv(merged, wide, (1, 1, 1)))
    x = layers.Activation("relu")(layers.Add()([residual, shortcut]))
    x = conv(x, wide, (1, 1, band_kernel))
    return layers.Activation("relu")(BandNorm(bands - band_kernel + 1)(x))


def _bands(x: Any) -> int:
    return K.int_shape(x)[3]


class Every(keras.layers.Layer):
    """Bands 0, n, 2n, ... of (N, b, b, D, F)."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self._every = every

    def call(self, inputs: Any) -> Any:
        """Called by Keras."""
        _, height, width, bands, channels = K.int_shape(inputs)
        missing = -bands % self._every
        if missing:
            inputs = tf.concat([inputs] + [K.zeros_like(inputs[:, :, :, :1])] * missing, 3)
        # bands side by side as channels: TensorFlow's slices with a stride are several times slower
        grouped = tf.reshape(inputs, (-1, height, width, (bands + missing) // self._every, self._every * channels))
        return tf.slice(grouped, (0, 0, 0, 0, 0), (-1, -1, -1, -1, channels))

    def compute_output_shape(self, shape: Any) -> Any:
        """Called by Keras."""
        return shape[:3] + (-(-shape[3] // self._every), shape[4])
