"""Networks of the tests: those of the three scenes, a small one, and the rule that fills golden networks."""

import re
import zlib
from typing import Any, List, NamedTuple, Tuple

import numpy as np
from da_imrn_literal import Weights

from da_imrn.composed import Merged, Scale
from da_imrn.keras_stack import keras
from da_imrn.network import Structure, build_network
from da_imrn.norm import BandNorm


class Sizes(NamedTuple):
    patch: int
    bands: int
    classes: int
    structure: Structure

    def build(self) -> Any:
        return build_network(self.patch, self.bands, self.classes, self.structure)


SCENES = {
    "ip": Sizes(4, 200, 16, Structure((2,) * 6, (1, 1, 2, 1, 1, 1), "pointwise")),
    "pu": Sizes(8, 103, 9, Structure((1, 2, 2, 2, 2, 2), (4, 1, 2, 1, 1, 1), "three_kernels")),
    "sv": Sizes(8, 204, 16, Structure((2,) * 6, (3, 1, 2, 1, 1, 1), "three_kernels")),
}

SMALL = Structure((4, 2, 2, 1, 1, 1), (1, 1, 2, 1, 1, 1), "three_kernels")  # for 64 bands


def small_network(form: str = "three_kernels") -> Any:
    return build_network(4, 64, 5, SMALL._replace(spatial_block=form))


def listed_weights(model: Any) -> List[Any]:
    """[i, kind, shape] of every weight, as the golden files list them."""
    weights = [weight for layer in model.layers for weight in layer.weights]
    kinds = [re.search(r"(\w+)(:\d+)?$", weight.name).group(1) for weight in weights]
    return [[i, kind, list(value.shape)] for i, (kind, value) in enumerate(zip(kinds, model.get_weights()))]


def fill_by_rule(model: Any) -> Any:
    """The golden values of every weight, from its place and kind."""
    model.set_weights([_values(i, kind, shape) for i, kind, shape in listed_weights(model)])
    return model


def _values(i: int, kind: str, shape: List[int]) -> np.ndarray:
    """`contracts.golden.values_by_rule` with the kinds of Keras, whose kernels have their outputs last."""
    seed = zlib.crc32(("%d/%s" % (i, kind)).encode()) & 0x7FFFFFFF
    values = np.random.RandomState(seed).standard_normal(shape)
    if len(shape) > 1:
        values = values / np.sqrt(np.prod(shape[:-1]))
    elif kind == "moving_variance":
        values = 1 + 0.1 * np.abs(values)
    elif kind == "gamma":
        values = 1 + 0.1 * values
    else:
        values = 0.1 * values
    return values.astype(np.float32)


def oracle_weights(model: Any) -> Weights:
    """The weights of a model in the order its layers were made, which their names' numbers tell."""
    kinds = ((keras.layers.Conv3D, Scale, Merged), keras.layers.Dense, BandNorm)
    made = sorted(values_by_layer(model), key=lambda pair: int((re.findall(r"_(\d+)$", pair[0].name) or [0])[0]))
    return Weights(*([values for layer, values in made if isinstance(layer, kind)] for kind in kinds))


def values_by_layer(model: Any) -> List[Tuple[Any, List[np.ndarray]]]:
    """Every layer with its weights, fetched at once: TensorFlow 1.15 takes long to prepare each fetch."""
    values = iter(model.get_weights())
    return [(layer, [next(values) for _ in layer.weights]) for layer in model.layers]
