"""Checkpoints as PyTorch files of tensors and plain containers, saved models, and weights from any such file."""

import inspect
import io
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np
import torch

from a2s2k_resnet import restricted_pickle
from shared_data.errors import CheckpointError
from shared_data.files.atomic import atomic_path
from shared_data.quoting import one_line
from shared_data.runs.checkpoints import CheckpointFormat
from shared_data.runs.model_file import ARRAYS, TRAINED, ModelFile, as_content, from_content, mismatch, unwrapped


def copy_of(network: torch.nn.Module) -> Dict[str, torch.Tensor]:
    """A detached copy of the network's state on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def as_arrays(network: torch.nn.Module) -> Dict[str, np.ndarray]:
    """The same as numpy arrays."""
    return {name: tensor.numpy() for name, tensor in copy_of(network).items()}


def write(path: Path, content: Dict[str, Any]) -> None:
    """`torch.save` to a temporary name, then rename. Raises: OSError where the folder cannot be written."""
    # in memory first: torch.save itself may lose the end of a file on a full disk without an error
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(buffer.getbuffer())


def read(path: Path) -> Dict[str, Any]:
    """A file of tensors and plain containers, on the CPU; anything else in it is refused.

    Raises: CheckpointError where it does not exist, is damaged, or holds something else than a dict.
    """
    if not Path(path).is_file():
        raise CheckpointError("%s does not exist; give a file of weights (.pth)." % path)
    known = "weights_only" in inspect.signature(torch.load).parameters
    safely = {"weights_only": True} if known else {"pickle_module": restricted_pickle}
    try:
        content = torch.load(str(path), map_location="cpu", **safely)
    except Exception as error:  # torch.load may raise any exception on a damaged file
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise CheckpointError(
            "%s is damaged or holds more than tensors and numbers (%s); give another file." % (path, reason)
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError("%s: expected a dict of weights, found a %s." % (path, type(content).__name__))
    return content


def write_model(path: Path, state: Dict[str, torch.Tensor], model: ModelFile) -> None:
    """Write the weights, as `model`, and everything else that predicting needs. Raises: OSError where the folder cannot
    be written."""
    content = as_content(model)
    content[ARRAYS] = {name: torch.from_numpy(array) for name, array in content[ARRAYS].items()}
    content[TRAINED] = torch.from_numpy(content[TRAINED])
    write(path, dict(content, model=state))


def read_model(path: Path) -> Tuple[Dict[str, Any], Optional[ModelFile]]:
    """Weights by name, and the rest of a saved model; None with bare weights, such as an official state_dict.

    Raises: CheckpointError as `read`, and for a description that is damaged.
    """
    content = read(path)
    arrays, trained = content.get(ARRAYS), content.get(TRAINED)
    if isinstance(arrays, dict):
        arrays = {name: _as_array(tensor) for name, tensor in arrays.items()}
    described = dict(content, **{ARRAYS: arrays, TRAINED: _as_array(trained)})
    return unwrapped(content), from_content(described, path)


def _as_array(value: Any) -> Any:
    """A plain tensor as an array; other values unchanged, so that `from_content` refuses them."""
    is_plain = isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_quantized
    return value.detach().numpy() if is_plain and value.dtype is not getattr(torch, "bfloat16", None) else value


def load_weights(network: torch.nn.Module, state: Dict[str, Any], path: Path, what: str) -> None:
    """Give a network the weights of a file. what: the network, in words.

    Raises: CheckpointError naming the first missing and surplus entries.
    """
    try:
        network.load_state_dict(state)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = mismatch(network.state_dict(), state) or one_line(" ".join(str(error).split()))
        raise CheckpointError("%s does not fit %s: %s." % (path, what, reason)) from error


FORMAT = CheckpointFormat(".pth", write, read)
