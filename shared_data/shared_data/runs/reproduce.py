"""One run from start to record, whatever the framework: find its directory, resume or train, finish.

A paper brings a `PreparedRun`; this module brings what every run has in common, so that a lock, a full disk, a stop
signal and a finished directory mean the same in every paper.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from shared_data.audit.training import weights_sha256
from shared_data.cli.paper import Outcome, Request, run_directory_of
from shared_data.errors import RunDirectoryError
from shared_data.records.audit_file import read_audit
from shared_data.runs.directory import RunDirectory
from shared_data.runs.environment import revision
from shared_data.runs.outputs import Results, finish_run
from shared_data.scenes.loading import LoadedScene

# keys that end a training, where a configuration has them
_LIMITS = ("train.num_iters", "train.epochs")


class PreparedRun(ABC):
    """Everything a run builds before its first step.

    last_weights: those after the last step, by name; there when `train` has come to the end.
    """

    last_weights: Dict[str, np.ndarray]

    @abstractmethod
    def train(self, folder: Any) -> bool:
        """Train from the newest checkpoint in the folder to the end; False where a signal stopped it.

        Raises: OSError where something cannot be written.
        """

    @abstractmethod
    def environment(self) -> Dict[str, Any]:
        """What the run computes with and on, of `shared_data.runs.environment.describe`."""

    @abstractmethod
    def results(self) -> Results:
        """After training: predict and evaluate. Under protocols that hide them, test labels are read here first."""

    # what an audit asks

    @abstractmethod
    def weights(self) -> Dict[str, np.ndarray]:
        """The weights the network has now, by name, in no memory of the network's."""

    @abstractmethod
    def predict(self) -> np.ndarray:
        """(H, W) uint8 classes 1..K of every pixel, with the weights the network has now."""

    @abstractmethod
    def inputs(self, pixels: np.ndarray) -> np.ndarray:
        """(n, ...) what the network is given at flat pixel indices, their surroundings left out."""

    @abstractmethod
    def sees(self, mask: np.ndarray) -> np.ndarray:
        """(H, W) bool: the pixels for whose class the network is given some pixel of a (H, W) mask."""

    @abstractmethod
    def selection_state(self) -> Optional[Dict[str, Any]]:
        """After training, all that decides which step's weights are used, JSON values; None where nothing does."""


def settings_of(config: Dict[str, Any], request: Request, loaded: LoadedScene) -> Dict[str, Any]:
    """What decides the result of a run, for the check that a directory is resumed with the same."""
    return {
        "config": config,
        "protocol": request.protocol,
        "seed": request.seed,
        "data": {file.name: file.identity for file in loaded.files},
    }


def modifications(config: Dict[str, Any], packaged: Dict[str, Any]) -> Tuple[str, ...]:
    """Dotted keys, sorted, whose values differ between two configurations, or that one of them lacks."""
    ours, theirs = _dotted(config), _dotted(packaged)
    return tuple(sorted(key for key in set(ours) | set(theirs) if ours.get(key) != theirs.get(key)))


def is_truncated(config: Dict[str, Any], packaged: Dict[str, Any]) -> bool:
    """Whether a configuration allows fewer iterations or epochs than the packaged one; 0 or no number is no limit."""
    ours, theirs = _dotted(config), _dotted(packaged)
    return any((ours.get(key) or math.inf) < (theirs.get(key) or math.inf) for key in _LIMITS)


def _dotted(values: Dict[str, Any], above: str = "") -> Dict[str, Any]:
    """A nested configuration on one level, lists as they come out of JSON."""
    flat: Dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_dotted(value, above + name + "."))
        else:
            flat[above + name] = list(value) if isinstance(value, tuple) else value
    return flat


def reproduce_once(
    paper: str,
    request: Request,
    config: Dict[str, Any],
    packaged: Dict[str, Any],
    loaded: LoadedScene,
    prepare: Callable[[], PreparedRun],
) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Where the request asks for the settings alone, nothing is read from the run's directory or written to it.

    config: the resolved configuration, JSON values. packaged: the same of this experiment without the request's
    changes; where they differ, the record says so. prepare: builds the run; what is wrong with the input is found out
    there, before anything is written.
    Raises: RunDirectoryError where the directory is taken, holds another run or cannot be written.
    """
    folder, settings = run_directory_of(paper, request), settings_of(config, request, loaded)
    if request.settings_alone:
        return Outcome(folder, None, settings)
    with RunDirectory(folder, settings, request.force) as directory:
        finished = directory.record()
        if finished is not None:
            print("%s is finished already; --force or FORCE=1 runs it again" % folder)
            return Outcome(folder, finished)
        read_audit(folder)  # one that cannot be read must not show after hours
        run = prepare()
        directory.begin({"environment": run.environment(), "revision": revision()})
        try:
            if not run.train(folder):
                return Outcome(folder, None)
            results = run.results()
            weights = {"last": weights_sha256(run.last_weights), "used": weights_sha256(run.weights())}
        except OSError as error:
            raise RunDirectoryError(
                "%s cannot be written: %s. The checkpoints written before are intact; the same command resumes the run."
                % (folder, error.strerror or error)
            ) from error
        changed, truncated = modifications(config, packaged), is_truncated(config, packaged)
        record = finish_run(directory, paper, request, loaded, config, results, weights, changed, truncated)
        return Outcome(folder, record)
