"""Checkpoint files: written completely or not at all, read without running code from them."""

import contextlib
import inspect
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator

import numpy as np
import torch

from simplecv.core import restricted_pickle
from simplecv.errors import CheckpointError

_PREFIX = "module."


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[str]:
    """Yield a temporary path in the target's folder; on success flush it to disk and rename it to `path`."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".part", dir=str(path.parent))
    os.close(descriptor)
    try:
        yield temporary
        _flush(temporary)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes private files
        os.replace(temporary, str(path))
        _flush(str(path.parent))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _flush(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_checkpoint(path: Path, content: Dict[str, Any]) -> None:
    """`torch.save`, atomically. Raises: OSError when the folder cannot be written."""
    # in memory first: on a full disk torch.save raises a RuntimeError instead of an OSError
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(buffer.getbuffer())


def write_json(path: Path, content: Any) -> None:
    """A JSON file, atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def read_checkpoint(path: Any) -> Any:
    """The content of a file written by `torch.save`, with all tensors on the CPU.

    Only tensors and plain containers are built; a file that asks for anything else is refused.
    Raises: CheckpointError when the file does not exist, is damaged or is refused.
    """
    if not os.path.isfile(path):
        raise CheckpointError(f"Checkpoint {path} does not exist.")
    try:
        return _safe_load()(str(path))
    except Exception as error:  # torch.load may raise any exception on a damaged file
        reason = " ".join(str(error).split("WeightsUnpickler error: ")[-1].split())[:160] or type(error).__name__
        raise CheckpointError(
            f"Checkpoint {path} is damaged or holds more than tensors and numbers ({reason}): give another file."
        ) from error


def _safe_load() -> Callable[[str], Any]:
    if "weights_only" not in inspect.signature(torch.load).parameters:
        return lambda path: torch.load(path, map_location="cpu", pickle_module=restricted_pickle)

    def load(path: str) -> Any:
        with _numpy_numbers_allowed():
            return torch.load(path, map_location="cpu", weights_only=True)

    return load


def _numpy_numbers_allowed() -> ContextManager[Any]:
    """Lets weights_only read a learning rate that was computed with numpy (torch from 2.5, numpy from 1.25)."""
    if not hasattr(torch.serialization, "safe_globals") or not hasattr(np, "dtypes"):
        return contextlib.nullcontext()
    scalar = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType]
    return torch.serialization.safe_globals([*((scalar, name) for name in names), np.dtype, *kinds])


def remove_module_prefix(state: Dict[str, Any]) -> Dict[str, Any]:
    """A state_dict without the `module.` that a parallel wrapper puts before every name."""
    if state and all(name.startswith(_PREFIX) for name in state):
        return {name[len(_PREFIX) :]: value for name, value in state.items()}
    return dict(state)


def load_model_state_dict_from_ckpt(path: Any) -> Dict[str, Any]:
    """Model weights, names without `module.`, from a checkpoint or from a file that is a state_dict itself.

    Raises: CheckpointError as `read_checkpoint` does, or when the file holds no dict.
    """
    content = read_checkpoint(path)
    if not isinstance(content, dict):
        raise CheckpointError(
            f"Checkpoint {path} holds a {type(content).__name__} where a dict of weights was expected."
        )
    state = content["model"] if isinstance(content.get("model"), dict) else content
    return remove_module_prefix(state)


def to_plain(value: Any, where: str) -> Any:
    """A state as it can be written and read back safely; numbers of numpy become Python's.

    Raises: CheckpointError naming the place of anything but tensors, numbers, strings and plain containers.
    """
    if isinstance(value, np.generic):
        return value.item()
    if value is None or type(value) in (bool, int, float, str, bytes) or isinstance(value, torch.Tensor):
        return value
    if isinstance(value, dict):
        return {to_plain(key, where): to_plain(item, f"{where}.{key}") for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(to_plain(item, f"{where}[{index}]") for index, item in enumerate(value))
    kind = f"{type(value).__module__}.{type(value).__name__}"
    raise CheckpointError(
        f"The state '{where}' is a {kind}, which a checkpoint cannot hold: "
        "use tensors, numbers, strings, lists and dicts."
    )
