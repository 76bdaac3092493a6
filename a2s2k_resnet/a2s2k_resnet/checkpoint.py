"""Checkpoints as PyTorch files of tensors and plain containers, and weights from any such file."""

import inspect
from pathlib import Path
from typing import Any, Dict

import torch

from a2s2k_resnet import restricted_pickle
from shared_data.atomic import atomic_path
from shared_data.checkpoints import CheckpointFormat
from shared_data.errors import CheckpointError

_PREFIX = "module."  # of names saved from a parallel wrapper


def write(path: Path, content: Dict[str, Any]) -> None:
    """`torch.save` to a temporary name, then rename. Raises: OSError where the folder cannot be written."""
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


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
    except Exception as error:  # torch.load raises nearly anything on a damaged file
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise CheckpointError(
            "%s is damaged or holds more than tensors and numbers (%s); give another file." % (path, reason)
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError("%s: expected a dict of weights, found a %s." % (path, type(content).__name__))
    return content


def read_weights(path: Path) -> Dict[str, torch.Tensor]:
    """The state_dict of a file: `model` of one of our files, or an official state_dict, which is the whole file.

    Raises: CheckpointError as `read`.
    """
    content = read(path)
    content = content.get("run", content)  # a checkpoint of a run
    state = content["model"] if isinstance(content.get("model"), dict) else content
    if state and all(str(name).startswith(_PREFIX) for name in state):
        state = {name[len(_PREFIX) :]: tensor for name, tensor in state.items()}
    return state


FORMAT = CheckpointFormat(".pth", write, read)
