# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""Saved models: weights and everything else that predicting needs, in one PyTorch file; also reads weights alone."""

from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import torch
from torch import nn

from shared_data.quoting import one_line
from shared_data.runs.model_file import (
    ARRAYS,
    TRAINED,
    ModelFile,
    as_content,
    from_content,
    mismatch,
    unwrapped,
)
from simplecv.core.checkpoint_file import read_checkpoint, write_checkpoint
from simplecv.errors import CheckpointError


def write_model(path: Path, weights: Dict[str, torch.Tensor], model: ModelFile) -> None:
    """Raises: OSError where the file cannot be written."""
    content = as_content(model)
    content[ARRAYS] = {name: torch.from_numpy(array) for name, array in content[ARRAYS].items()}
    content[TRAINED] = torch.from_numpy(content[TRAINED])
    write_checkpoint(path, dict(content, model=weights))


def read_model(path: Path) -> Tuple[Dict[str, Any], Optional[ModelFile]]:
    """Weights by name, and the rest of a saved model; None with bare weights, such as a checkpoint of the release.

    Raises: CheckpointError where the file does not exist, is damaged, or holds more than tensors and plain values.
    """
    content = read_checkpoint(path)
    if not isinstance(content, dict):
        raise CheckpointError("%s: expected a dict of weights, found a %s." % (path, type(content).__name__))
    arrays = content.get(ARRAYS)
    if isinstance(arrays, dict):
        arrays = {name: _as_array(tensor) for name, tensor in arrays.items()}
    described = dict(content, **{ARRAYS: arrays, TRAINED: _as_array(content.get(TRAINED))})
    return unwrapped(content), from_content(described, path)


def _as_array(value: Any) -> Any:
    """A plain tensor as an array; other values unchanged, so that `from_content` refuses them."""
    is_plain = isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_quantized
    return value.detach().numpy() if is_plain and value.dtype is not torch.bfloat16 else value


def load_weights(network: nn.Module, weights: Dict[str, Any], path: Path, what: str) -> None:
    """Give a network the weights of a file. what: the network, in words.

    Raises: CheckpointError naming the first missing and surplus entries.
    """
    try:
        network.load_state_dict(weights)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = mismatch(network.state_dict(), weights) or one_line(" ".join(str(error).split()))
        raise CheckpointError("%s does not fit %s: %s." % (path, what, reason)) from error
