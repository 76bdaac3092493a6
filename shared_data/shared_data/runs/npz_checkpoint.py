"""Checkpoints of frameworks without a file format of their own: arrays and plain values in one .npz, without pickle."""

import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from shared_data.errors import CheckpointError
from shared_data.files.atomic import atomic_path
from shared_data.files.npz import read_npz
from shared_data.quoting import one_line
from shared_data.runs.checkpoints import CheckpointFormat

_ARRAY = "__array__"  # key in the plain part; its value is the number of an array
_PLAIN = "plain"


def write(path: Path, content: Dict[str, Any]) -> None:
    """Nested dicts and lists of numbers, texts and arrays, to a temporary name that is then renamed.

    Raises: OSError where the folder cannot be written; TypeError for a value that JSON cannot represent.
    """
    arrays: List[np.ndarray] = []
    plain = json.dumps(_without_arrays(content, arrays))
    with atomic_path(path) as temporary, open(str(temporary), "wb") as file:
        named: Dict[str, Any] = {"a%d" % i: array for i, array in enumerate(arrays)}
        np.savez(file, **{_PLAIN: np.array(plain), **named})


def read(path: Path) -> Dict[str, Any]:
    """What `write` wrote. Raises: CheckpointError where the file does not exist or is damaged."""
    if not Path(path).is_file():
        raise CheckpointError("%s does not exist; give a file that a run has written." % path)
    try:
        arrays = read_npz(path)
        plain = arrays[_PLAIN]
        content = json.loads(str(plain)) if plain.dtype.kind == "U" and plain.ndim == 0 else None
        if not isinstance(content, dict) or set(content) == {_ARRAY}:
            raise ValueError("its plain part is not the text of a dict")
        return _with_arrays(content, arrays)
    except (ValueError, KeyError, RecursionError) as error:
        raise CheckpointError("%s is damaged (%s); give another file." % (path, one_line(error, 160))) from error


def _without_arrays(value: Any, arrays: List[np.ndarray]) -> Any:
    if isinstance(value, dict):
        return {key: _without_arrays(one, arrays) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(one, arrays) for one in value]
    if isinstance(value, (np.ndarray, np.generic)):
        arrays.append(np.asarray(value))
        return {_ARRAY: len(arrays) - 1}
    return value


def _with_arrays(value: Any, stored: Dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return stored["a%s" % value[_ARRAY]]
        return {key: _with_arrays(one, stored) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_arrays(one, stored) for one in value]
    return value


NPZ = CheckpointFormat(".npz", write, read)
