"""One hash of a network's weights, to compare the results of two trainings."""

import hashlib
import json
from typing import Mapping

import numpy as np


def weights_sha256(weights: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over name, dtype, shape and bytes (C order) of every array, by sorted name.

    Raises: ValueError where there is no array, because two trainings without weights would always agree.
    """
    if not weights:
        raise ValueError("the hash of a training is taken of its weights, and there are none")
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.asarray(weights[name])
        digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode("utf-8"))
        digest.update(array.tobytes())
    return digest.hexdigest()
