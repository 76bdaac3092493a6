"""The rule by which golden networks are filled, and the inputs golden numbers belong to."""

import json
import zlib
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np


def read_golden(folder: Path, name: str) -> Dict[str, Any]:
    """`<folder>/<name>.json`."""
    return json.loads((folder / (name + ".json")).read_text(encoding="utf-8"))


def values_by_rule(key: str, shape: Tuple[int, ...]) -> np.ndarray:
    """The values of one tensor, float32, from a RandomState seeded with the CRC-32 of its key."""
    values = np.random.RandomState(zlib.crc32(key.encode()) & 0x7FFFFFFF).standard_normal(shape)
    if len(shape) > 1:
        values = values / np.sqrt(np.prod(shape[1:]))
    elif key.endswith("running_var"):
        values = 1 + 0.1 * np.abs(values)
    elif key.endswith("weight"):
        values = 1 + 0.1 * values
    else:
        values = 0.1 * values
    return values.astype(np.float32)
