"""The multi-scale residual blocks: MSpeRB along the bands, MSpaRB over the pixels. They differ only in their kernels.

    x → conv 1×1×1, strided along the bands → BN ┬→ parallel convs → concatenation → conv 1×1×1 → BN ┬→ + → ReLU
                                                 └───────────────────────────────────────────────────┘
      → conv along the bands (1,1,v), not padded → BN → ReLU

BatchNorm normalises every *band* over patches, pixels and channels (axis 3, as in the release): its parameters have
the length of the bands that remain.
"""

from typing import Any, Sequence, Tuple

from da_imrn.attention import conv
from da_imrn.keras_stack import keras

BAND_AXIS = 3  # of (N, b, b, D, F)

SPECTRAL_KERNELS = ((1, 1, 3), (1, 1, 5), (1, 1, 7))

SPATIAL_KERNELS = {
    "three_kernels": ((3, 3, 1), (5, 5, 1), (7, 7, 1)),
    # the release on Indian Pines: of two convolutions only this one is connected, so the block's receptive field is 1×1
    "pointwise": ((1, 1, 1),),
}

layers = keras.layers


def spectral_block(x: Any, narrow: int, wide: int, stride: int, band_kernel: int) -> Any:
    """MSpeRB: (N, b, b, D, F) to (N, b, b, ceil(D/stride) − band_kernel + 1, wide).

    narrow: F2, filters of each parallel convolution. wide: F3, those of all others. stride: along the bands.
    band_kernel: v, the depth of the last convolution.
    """
    return _residual_block(x, SPECTRAL_KERNELS, narrow, wide, stride, band_kernel)


def spatial_block(x: Any, narrow: int, wide: int, stride: int, band_kernel: int, form: str) -> Any:
    """MSpaRB: as `spectral_block`, with the parallel kernels of a form of `SPATIAL_KERNELS`."""
    return _residual_block(x, SPATIAL_KERNELS[form], narrow, wide, stride, band_kernel)


def _residual_block(
    x: Any, kernels: Sequence[Tuple[int, int, int]], narrow: int, wide: int, stride: int, band_kernel: int
) -> Any:
    shortcut = _band_norm(conv(x, wide, (1, 1, 1), strides=(1, 1, stride)))
    scales = [conv(shortcut, narrow, kernel, padding="same") for kernel in kernels]
    merged = layers.Concatenate()(scales) if len(scales) > 1 else scales[0]
    residual = _band_norm(conv(merged, wide, (1, 1, 1)))
    x = layers.Activation("relu")(layers.Add()([residual, shortcut]))
    return layers.Activation("relu")(_band_norm(conv(x, wide, (1, 1, band_kernel))))


def _band_norm(x: Any) -> Any:
    return layers.BatchNormalization(axis=BAND_AXIS, momentum=0.99, epsilon=1e-6)(x)
