"""DA-IMRN of plain Keras layers, stacked as in the release: the network that ours is timed against.

Every band is computed, every convolution is a layer, and BatchNorm is Keras' own. Its weights have the order and the
shapes of ours.
"""

from da_imrn import optimizer
from da_imrn.attention import SQUEEZED
from da_imrn.blocks import SPATIAL_KERNELS, SPECTRAL_KERNELS
from da_imrn.keras_stack import keras
from da_imrn.network import POOLED, WIDTHS

layers = keras.layers


def conv(x, filters, kernel, **options):
    return layers.Conv3D(filters, kernel, kernel_initializer="he_normal", **options)(x)


def band_norm(x):
    return layers.BatchNormalization(axis=3, momentum=0.99, epsilon=1e-6)(x)


def mask_of_cells(x, side):
    cells = layers.Activation("sigmoid")(conv(x, 1, (side, side, 1), strides=(side, side, 1)))
    return layers.UpSampling3D((side, side, 1))(cells)


def weigh(x, mask):
    return layers.Add()([layers.Multiply()([mask, x]), x])


def scam(x):
    _, patch, _, _, channels = keras.backend.int_shape(x)
    squeezed = layers.Dense(SQUEEZED, activation="relu")(layers.GlobalAveragePooling3D()(x))
    of_channels = layers.Dense(channels, activation="sigmoid")(squeezed)
    of_channels = layers.Reshape((1, 1, 1, channels))(of_channels)
    of_pixels = layers.Activation("sigmoid")(conv(x, 1, (1, 1, 1)))
    return weigh(x, layers.Average()([of_channels, mask_of_cells(x, patch // 2), of_pixels]))


def sam(x):
    return weigh(x, mask_of_cells(x, keras.backend.int_shape(x)[1]))


def block(x, kernels, narrow, wide, stride, band_kernel):
    shortcut = band_norm(conv(x, wide, (1, 1, 1), strides=(1, 1, stride)))
    scales = [conv(shortcut, narrow, kernel, padding="same") for kernel in kernels]
    merged = layers.Concatenate()(scales) if len(scales) > 1 else scales[0]
    residual = band_norm(conv(merged, wide, (1, 1, 1)))
    x = layers.Activation("relu")(layers.Add()([residual, shortcut]))
    return layers.Activation("relu")(band_norm(conv(x, wide, (1, 1, band_kernel))))


def build_network(patch, bands, num_classes, structure):
    patches = layers.Input((patch, patch, bands, 1))
    spatial = spectral = patches
    of_bands = [(1, 1, size) for size in SPECTRAL_KERNELS]
    for (narrow, wide), stride, band_kernel in zip(WIDTHS, structure.strides, structure.band_kernels):
        for_spectral, for_spatial = scam(spatial), sam(spectral)
        spatial = layers.Concatenate()([spatial, for_spatial])
        spectral = layers.Concatenate()([spectral, for_spectral])
        spatial = block(spatial, SPATIAL_KERNELS[structure.spatial_block], narrow, wide, stride, band_kernel)
        spectral = block(spectral, of_bands, narrow, wide, stride, band_kernel)
    x = layers.AveragePooling3D((1, 1, POOLED))(layers.Concatenate()([spatial, spectral]))
    return keras.models.Model(patches, conv(x, num_classes, (1, 1, 1), activation="softmax"))


def build_nadam(learning_rate):
    """The stack's own."""
    if not hasattr(keras.optimizers, "legacy"):
        return optimizer.build_optimizer(learning_rate)
    return keras.optimizers.legacy.Nadam(learning_rate=learning_rate, **optimizer.OPTIONS)
