"""DA-IMRN, top-down: six stages of a spatial and a spectral branch that exchange attention, then one softmax per pixel.

    A, S = X, X
    per stage:  A, S = MSpaRB([A, SAM(S)]), MSpeRB([S, SCAM(A)])
    probability = softmax(conv 1×1×1 (average of the last bands of [A, S]))

A network takes patches (N, b, b, B, 1) of raw digital numbers and gives (N, b, b, 1, K): a class for every pixel of
a patch, not just for the middle one.

Bands that the next strided convolution does not read are not computed (`Every`, `read`, `following`; in blocks.py
`early` and `late`); tests/da_imrn_plain.py is the same network without this.
"""

from typing import Any, NamedTuple, Tuple

from da_imrn.attention import conv, sam, scam
from da_imrn.blocks import SPATIAL_KERNELS, Every, spatial_block, spectral_block
from da_imrn.keras_stack import keras
from da_imrn.model import DirectModel

# (F2, F3) of the six stages
WIDTHS = ((32, 64), (32, 64), (64, 128), (64, 128), (128, 256), (128, 256))

POOLED = 3  # bands the head averages

SPATIAL_BLOCKS = tuple(SPATIAL_KERNELS)

layers = keras.layers


class Structure(NamedTuple):
    """The parameters that differ between scenes, by stage.

    strides: of the first convolution of both blocks, along the bands. band_kernels: depth of their last convolution.
    Both have one number per stage, six in the paper; fewer make a smaller network. spatial_block: of `SPATIAL_BLOCKS`.
    """

    strides: Tuple[int, ...]
    band_kernels: Tuple[int, ...]
    spatial_block: str


def build_network(patch: int, bands: int, num_classes: int, structure: Structure) -> Any:
    """A Keras model with fresh weights: (N, b, b, B, 1) float32 to probabilities (N, b, b, 1, K).

    patch: b, even. Raises: ValueError for an odd patch, an unknown spatial block, or bands that this structure does not
    reduce to one.
    """
    _check(patch, bands, structure)
    patches = layers.Input((patch, patch, bands, 1))
    strides = structure.strides
    spatial, spectral = patches, Every(strides[0])(patches)
    stages = zip(WIDTHS, strides, strides[1:] + (1,), structure.band_kernels)
    for (narrow, wide), stride, following, band_kernel in stages:
        # the next strided convolution reads every stride-th band alone, so only these are weighed; the spectral block
        # before computes no others
        read = Every(stride)(spatial)
        for_spectral, for_spatial = scam(spatial, read), sam(spectral)
        spatial = layers.Concatenate()([read, for_spatial])
        spectral = layers.Concatenate()([spectral, for_spectral])
        spatial = spatial_block(spatial, narrow, wide, band_kernel, structure.spatial_block)
        spectral = spectral_block(spectral, narrow, wide, band_kernel, following)
    x = layers.Concatenate()([spatial, spectral])
    x = layers.AveragePooling3D((1, 1, POOLED))(x)
    return DirectModel(patches, conv(x, num_classes, (1, 1, 1), activation="softmax"))


def _check(patch: int, bands: int, structure: Structure) -> None:
    if patch < 2 or patch % 2:
        raise ValueError("the patch side must be even, so that it can be halved, not %d" % patch)
    if structure.spatial_block not in SPATIAL_KERNELS:
        known = ", ".join(SPATIAL_BLOCKS)
        raise ValueError("unknown spatial block '%s'; there are: %s" % (structure.spatial_block, known))
    stages = len(structure.strides)
    if not 1 <= stages <= len(WIDTHS) or len(structure.band_kernels) != stages:
        raise ValueError(
            "expected one stride and one band kernel per stage, not %d and %d, for one to %d stages"
            % (stages, len(structure.band_kernels), len(WIDTHS))
        )
    left = bands
    for stage, (stride, band_kernel) in enumerate(zip(structure.strides, structure.band_kernels)):
        strided = -(-left // stride)
        left = strided - band_kernel + 1
        if left < 1:
            raise ValueError(
                "%d bands are too few: stage %d has %d bands for a kernel over %d; choose smaller strides"
                % (bands, stage, strided, band_kernel)
            )
    if left < POOLED:
        raise ValueError(
            "%d bands are too few: %d remain after the last stage, and the head averages %d; choose smaller strides"
            % (bands, left, POOLED)
        )
    if left // POOLED > 1:
        raise ValueError(
            "%d bands are too many: %d remain after the last stage, and the head takes at most %d; choose "
            "larger strides" % (bands, left, 2 * POOLED - 1)
        )
