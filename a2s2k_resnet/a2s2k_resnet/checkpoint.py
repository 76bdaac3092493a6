"""Checkpoints of a run: `epoch-<n>.pth`, complete or absent, the newest two kept; and weights from any file."""

import inspect
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import torch

from a2s2k_resnet.errors import CheckpointError
from shared_data.atomic import atomic_path

KEPT = 2  # a second one, in case the newest is damaged
_NAME = re.compile(r"epoch-(\d+)\.pth")
_PREFIX = "module."  # of names saved from a parallel wrapper


def write(path: Path, content: Dict[str, Any]) -> None:
    """`torch.save` to a temporary name, then rename. Raises: OSError where the folder cannot be written."""
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def read(path: Path) -> Dict[str, Any]:
    """A file of tensors and plain containers, on the CPU; newer PyTorch refuses anything else in it.

    Raises: CheckpointError where it does not exist, is damaged, or holds something else than a dict.
    """
    if not Path(path).is_file():
        raise CheckpointError("%s does not exist; give a file of weights (.pth)." % path)
    safely = {"weights_only": True} if "weights_only" in inspect.signature(torch.load).parameters else {}
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
    state = content["model"] if isinstance(content.get("model"), dict) else content
    if state and all(str(name).startswith(_PREFIX) for name in state):
        state = {name[len(_PREFIX) :]: tensor for name, tensor in state.items()}
    return state


class CheckpointFolder:
    """The checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, epoch: int, content: Dict[str, Any]) -> str:
        """Write the checkpoint of an epoch, remove the oldest, return the file's name."""
        name = "epoch-%d.pth" % epoch
        write(self.folder / name, content)
        for old in self._epochs()[KEPT:]:
            (self.folder / ("epoch-%d.pth" % old)).unlink()
        return name

    def newest(self) -> Tuple[Optional[str], Dict[str, Any], List[str]]:
        """Name and content of the newest checkpoint that can be read, and what is wrong with newer ones.

        The name is None where there is no checkpoint. Raises: CheckpointError where there are some, all damaged.
        """
        problems: List[str] = []
        for epoch in self._epochs():
            name = "epoch-%d.pth" % epoch
            try:
                return name, read(self.folder / name), problems
            except CheckpointError as error:
                problems.append(str(error))
        if problems:
            raise CheckpointError(
                "no checkpoint in %s can be read; start over with FORCE=1 or --force (%s)" % (self.folder, problems[0])
            )
        return None, {}, problems

    def _epochs(self) -> List[int]:
        """Epochs that have a file, newest first."""
        matches = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted((int(match.group(1)) for match in matches if match), reverse=True)
