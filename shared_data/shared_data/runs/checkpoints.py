"""Checkpoints of a run, one per epoch, in the framework's format: complete or absent, the newest two kept."""

import re
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from shared_data.errors import CheckpointError

KEPT = 2  # the second newest in case the newest is damaged


class CheckpointFormat(NamedTuple):
    """suffix: of the files, with its dot; write(path, content) writes completely or not at all; read(path) gives the
    content, or raises CheckpointError."""

    suffix: str
    write: Callable[[Path, Dict[str, Any]], None]
    read: Callable[[Path], Dict[str, Any]]


class CheckpointFolder:
    """The files `epoch-<n><suffix>` of one run."""

    def __init__(self, folder: Path, format: CheckpointFormat) -> None:
        self.folder, self.format = folder, format
        self._pattern = re.compile(r"epoch-(\d+)" + re.escape(format.suffix))
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, epoch: int, content: Dict[str, Any]) -> str:
        """Write the checkpoint of an epoch, remove the oldest, return the file's name."""
        name = self._name(epoch)
        self.format.write(self.folder / name, content)
        for old in self._epochs()[KEPT:]:
            (self.folder / self._name(old)).unlink()
        return name

    def newest(self) -> Tuple[Optional[str], Dict[str, Any], List[str]]:
        """Name and content of the newest readable checkpoint, and the errors of newer ones.

        The name is None where there is no checkpoint. Raises: CheckpointError where there are some, all damaged.
        """
        problems: List[str] = []
        for epoch in self._epochs():
            name = self._name(epoch)
            try:
                return name, self.format.read(self.folder / name), problems
            except CheckpointError as error:
                problems.append(str(error))
        if problems:
            raise CheckpointError(
                "no checkpoint in %s can be read; start over with FORCE=1 or --force (%s)" % (self.folder, problems[0])
            )
        return None, {}, problems

    def _name(self, epoch: int) -> str:
        return "epoch-%d%s" % (epoch, self.format.suffix)

    def _epochs(self) -> List[int]:
        """Epochs that have a file, newest first."""
        matches = (self._pattern.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted((int(match.group(1)) for match in matches if match), reverse=True)
