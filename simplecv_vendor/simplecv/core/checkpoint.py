"""Checkpoints of a training run: their content, when they are complete, and how a run resumes from them.

`model-<step>.pth` holds `model`, `opt` and `global_step`, as in the original, and ours: `processes` (for every process
its random states and its position in the data) and `objects` (states registered by the project).
`checkpoint_info.json`, written after it, names the checkpoint to resume from: {"last": {"step": ..., "name": ...}}.
"""

import json
import re
from pathlib import Path
from typing import Any, Dict, List

from simplecv.core.checkpoint_file import (
    load_model_state_dict_from_ckpt,
    read_checkpoint,
    remove_module_prefix,
    to_plain,
    write_checkpoint,
    write_json,
)
from simplecv.core.parallel import unwrap
from simplecv.core.random_state import get_random_state, set_random_state
from simplecv.errors import CheckpointError
from simplecv.util import dist

__all__ = ["CheckPoint", "load_model_state_dict_from_ckpt", "remove_module_prefix"]

_FILE_NAME = re.compile(r"model-(\d+)\.pth")


class CheckPoint:
    """The step counter of a launcher, and its files in `launcher.model_dir`."""

    MODEL = "model"
    OPTIMIZER = "opt"
    GLOBALSTEP = "global_step"
    INFO_FILE = "checkpoint_info.json"

    def __init__(self, launcher: Any):
        self._launcher = launcher
        self._folder = Path(launcher.model_dir)
        self._objects: Dict[str, Any] = {}
        self._waiting: Dict[str, Any] = {}
        self._global_step = 0

    @property
    def global_step(self) -> int:
        """Finished optimizer steps."""
        return self._global_step

    def step(self) -> None:
        self._global_step += 1

    @staticmethod
    def get_checkpoint_name(global_step: int) -> str:
        return f"model-{global_step}.pth"

    def register(self, name: str, obj: Any) -> None:
        """Store the state of `obj` (state_dict/load_state_dict) with every checkpoint, and restore it with it.

        An object registered after a checkpoint was loaded receives its state at once.
        Raises: CheckpointError when the name is taken.
        """
        if name in self._objects:
            raise CheckpointError(f"An object is registered for checkpoints under the name '{name}' already.")
        self._objects[name] = obj
        if name in self._waiting:
            obj.load_state_dict(self._waiting.pop(name))

    # writing

    def save(self, keep: int = 0) -> None:
        """Write the checkpoint of this step; all processes call it, the first writes.

        keep: afterwards delete all but the newest `keep` files up to this step (0: delete nothing).
        Raises: CheckpointError when a registered state cannot be read back safely; OSError.
        """
        own = {"random": get_random_state(), "loader": to_plain(self._launcher.loader_state(), "loader")}
        processes = dist.gather_objects(own)
        if not dist.is_master():
            return
        objects = {name: obj.state_dict() for name, obj in self._objects.items()}
        content = {
            self.MODEL: self._launcher.model.state_dict(),
            self.OPTIMIZER: to_plain(self._launcher.optimizer.state_dict(), self.OPTIMIZER),
            self.GLOBALSTEP: self.global_step,
            "processes": processes,
            "objects": to_plain(objects, "objects"),
        }
        name = self.get_checkpoint_name(self.global_step)
        write_checkpoint(self._folder / name, content)
        write_json(self._folder / self.INFO_FILE, {"last": {"step": self.global_step, "name": name}})
        self._launcher.logger.info("%s saved", name)
        if keep:
            self._prune(keep)

    def _prune(self, keep: int) -> None:
        for step in self._steps_on_disk(self.global_step)[keep:]:
            (self._folder / self.get_checkpoint_name(step)).unlink()

    def _steps_on_disk(self, limit: float) -> List[int]:
        """Steps up to `limit` that have a file, newest first; newer files belong to an older run in the folder."""
        matches = (_FILE_NAME.fullmatch(path.name) for path in self._folder.glob("model-*.pth"))
        return sorted((int(m.group(1)) for m in matches if m and int(m.group(1)) <= limit), reverse=True)

    # reading

    def try_resume(self) -> bool:
        """Resume from the newest readable checkpoint; False where the folder has none. A damaged file is skipped, with
        a logged warning, for the next older one.

        Raises: CheckpointError when there are checkpoints but none can be read, or the one read does not fit.
        """
        names = self._candidates()
        for name in names:
            try:
                content = self._read(self._folder / name)
            except CheckpointError as error:
                self._launcher.logger.warning("%s", error)
                continue
            self._restore(content, name)
            return True
        if names:
            raise CheckpointError(
                f"None of the checkpoints in {self._folder} can be read ({', '.join(names)}): "
                "delete them to start from the beginning, or set train.resume_from_last to False."
            )
        return False

    def load(self, path: Any) -> None:
        """Restore the run from one file. Raises: CheckpointError when it cannot be read or does not fit."""
        self._restore(self._read(path), str(path))

    def _candidates(self) -> List[str]:
        """File names to try: the one the info file names, then the older ones; all where there is no info file."""
        info = self._folder / self.INFO_FILE
        limit: float
        try:
            last = json.loads(info.read_text(encoding="utf-8"))["last"]
            first, limit = [str(last["name"])], int(last["step"]) - 1
        except FileNotFoundError:
            first, limit = [], float("inf")
        except (ValueError, KeyError, TypeError):
            self._launcher.logger.warning("%s is damaged and is ignored", info)
            first, limit = [], float("inf")
        older = [self.get_checkpoint_name(step) for step in self._steps_on_disk(limit)]
        return first + [name for name in older if name not in first]

    def _read(self, path: Any) -> Dict[str, Any]:
        content = read_checkpoint(path)
        needed = {self.MODEL, self.OPTIMIZER, self.GLOBALSTEP}
        if not isinstance(content, dict) or not needed <= content.keys():
            raise CheckpointError(f"{path} is no checkpoint: it must hold {', '.join(sorted(needed))}.")
        return content

    def _restore(self, content: Dict[str, Any], name: str) -> None:
        try:
            unwrap(self._launcher.model).load_state_dict(remove_module_prefix(content[self.MODEL]))
            self._launcher.optimizer.load_state_dict(content[self.OPTIMIZER])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(f"Checkpoint {name} does not fit this model and optimizer: {reason}") from error
        self._global_step = int(content[self.GLOBALSTEP])
        self._restore_objects(content.get("objects", {}))
        self._restore_process(content.get("processes", []))
        self._launcher.logger.info("resumed from %s at step %d", name, self.global_step)

    def _restore_objects(self, states: Dict[str, Any]) -> None:
        self._waiting = dict(states)
        for name, obj in self._objects.items():
            if name in self._waiting:
                obj.load_state_dict(self._waiting.pop(name))
            else:
                self._launcher.logger.warning("the checkpoint has no state for '%s', which starts anew", name)

    def _restore_process(self, processes: List[Dict[str, Any]]) -> None:
        if len(processes) != dist.world_size():
            self._launcher.logger.warning(
                "the checkpoint has random states and data positions of %d processes, this run has %d: "
                "they start anew, so the run is not the same bit for bit",
                len(processes),
                dist.world_size(),
            )
            return
        own = processes[dist.rank()]
        self._launcher.set_loader_state(own["loader"], own["random"])
        set_random_state(own["random"])
