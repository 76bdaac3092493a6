"""The two attentions: each weights its input X by a mask m in 0..1 and adds it to the input, (1 + m)·X.

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


def scam(x: Any, read: Any) -> Any:
    """The bands of (N, b, b, D, F) that the next stage reads, (N, b, b, D', F), to the same; b even.

    The mask is the average of three: one per channel, from the averages over all pixels and all D bands; one per pixel
    and band, coarse, from cells of b/2×b/2 pixels; one per pixel and band.
    """
    _, patch, _, _, channels = keras.backend.int_shape(x)
    cell = patch // 2
    squeezed = layers.Dense(SQUEEZED, activation="relu", kernel_initializer="he_normal")(
        layers.GlobalAveragePooling3D()(x)
    )
    of_channels = layers.Dense(channels, activation="sigmoid", kernel_initializer="he_normal")(squeezed)
    of_channels = layers.Reshape((1, 1, 1, channels))(of_channels)
    of_pixels = layers.Activation("sigmoid")(conv(read, 1, (1, 1, 1)))
    of_cells = _of_cells(read, cell, "sigmoid")
    return layers.Multiply()([read, OnePlusAverage()([of_channels, of_cells, of_pixels])])


def sam(x: Any) -> Any:
    """(N, b, b, D, F) to the same: the mask has one value per band, the same for all pixels of the patch."""
    return layers.Multiply()([x, _of_cells(x, keras.backend.int_shape(x)[1], _one_plus_sigmoid)])


def _of_cells(x: Any, side: int, activation: Any) -> Any:
    """(N, b, b, D, 1): one number per band and cell of side × side pixels, from all its pixels and channels."""
    cells = layers.Activation(activation)(conv(x, 1, (side, side, 1), strides=(side, side, 1)))
    return layers.UpSampling3D((side, side, 1))(cells)


def _one_plus_sigmoid(x: Any) -> Any:
    return 1 + keras.backend.sigmoid(x)


class OnePlusAverage(keras.layers.Layer):
    """1 + the average of masks: one per channel first, (N, 1, 1, 1, F), then those of no channel, (N, b, b, D, 1)."""

    def call(self, inputs: Any) -> Any:
        """Called by Keras."""
        factor = 1.0
        for mask in reversed(inputs):  # the one per channel last: then only one sum has all pixels, bands and channels
            factor += mask / len(inputs)
        return factor

    def compute_output_shape(self, shapes: Any) -> Any:
        """Called by Keras."""
        return shapes[1][:4] + shapes[0][4:]
