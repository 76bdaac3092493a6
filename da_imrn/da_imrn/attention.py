"""The two attentions: each weights its input X by a mask m in 0..1 and adds it to the input, m·X + X.

SCAM, spatial-channel attention, from the spatial branch to the spectral one; SAM, spectral attention, the other way.
X is (N, b, b, D, F): patches of b×b pixels, D bands deep, F channels. Layers keep the release's order of operands,
because official weight files depend on the resulting order of weights.
"""

from typing import Any, Tuple

from da_imrn.keras_stack import keras

SQUEEZED = 512  # units between the channel averages and the channel mask

layers = keras.layers


def conv(x: Any, filters: int, kernel: Tuple[int, int, int], **options: Any) -> Any:
    """A Conv3D whose kernel starts from he_normal; no padding unless the options say so."""
    return layers.Conv3D(filters, kernel, kernel_initializer="he_normal", **options)(x)


def scam(x: Any) -> Any:
    """(N, b, b, D, F) to the same; b even. The mask is the average of three:

    one per channel, from the averages over all pixels and bands; one per pixel and band, coarse, from cells of b/2×b/2
    pixels; one per pixel and band.
    """
    _, patch, _, _, channels = keras.backend.int_shape(x)
    cell = patch // 2
    squeezed = layers.Dense(SQUEEZED, activation="relu", kernel_initializer="he_normal")(
        layers.GlobalAveragePooling3D()(x)
    )
    of_channels = layers.Dense(channels, activation="sigmoid", kernel_initializer="he_normal")(squeezed)
    of_channels = layers.Reshape((1, 1, 1, channels))(of_channels)
    of_pixels = layers.Activation("sigmoid")(conv(x, 1, (1, 1, 1)))
    of_cells = _mask_of_cells(x, cell)
    return _weigh(x, layers.Average()([of_channels, of_cells, of_pixels]))


def sam(x: Any) -> Any:
    """(N, b, b, D, F) to the same: the mask has one value per band, the same for all pixels of the patch."""
    return _weigh(x, _mask_of_cells(x, keras.backend.int_shape(x)[1]))


def _mask_of_cells(x: Any, side: int) -> Any:
    """(N, b, b, D, 1): a sigmoid per band and cell of side × side pixels, from all its pixels and channels."""
    cells = layers.Activation("sigmoid")(conv(x, 1, (side, side, 1), strides=(side, side, 1)))
    return layers.UpSampling3D((side, side, 1))(cells)


def _weigh(x: Any, mask: Any) -> Any:
    return layers.Add()([layers.Multiply()([mask, x]), x])
