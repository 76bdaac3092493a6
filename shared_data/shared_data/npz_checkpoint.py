"""Checkpoints of frameworks without a file format of their own: arrays and plain values in one .npz, without pickle."""

import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from shared_data.atomic import atomic_path
from shared_data.checkpoints import CheckpointFormat
from shared_data.errors import CheckpointError

_ARRAY = "__array__"  # in the plain part, stands for the array of that number
_PLAIN = "plain"


def write(path: Path, content: Dict[str, Any]) -> None:
    """Nested dicts and lists of numbers, texts and arrays, to a temporary name that is then renamed.

    Raises: OSError where the folder cannot be written; TypeError for what JSON does not know.
    """
    arrays: List[np.ndarray] = []
    plain = json.dumps(_without_arrays(content, arrays))
    with atomic_path(path) as temporary, open(str(temporary), "wb") as file:
        np.savez(file, **{_PLAIN: np.array(plain)}, **{"a%d" % i: array for i, array in enumerate(arrays)})


def read(path: Path) -> Dict[str, Any]:
    """What `write` wrote. Raises: CheckpointError where the file does not exist or is damaged."""
    if not Path(path).is_file():
        raise CheckpointError("%s does not exist; give a file that a run has written." % path)
    try:
        with np.load(str(path), allow_pickle=False) as stored:
            return _with_arrays(json.loads(str(stored[_PLAIN])), stored)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise CheckpointError("%s is damaged (%s); give another file." % (path, reason)) from error


def _without_arrays(value: Any, arrays: List[np.ndarray]) -> Any:
    if isinstance(value, dict):
        return {key: _without_arrays(one, arrays) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(one, arrays) for one in value]
    if isinstance(value, (np.ndarray, np.generic)):
        arrays.append(np.asarray(value))
        return {_ARRAY: len(arrays) - 1}
    return value


def _with_arrays(value: Any, stored: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return stored["a%d" % value[_ARRAY]]
        return {key: _with_arrays(one, stored) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_arrays(one, stored) for one in value]
    return value


NPZ = CheckpointFormat(".npz", write, read)
