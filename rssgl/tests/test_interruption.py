"""Nothing is lost when a run is interrupted, and the life of a full-scene run."""

from contracts.full_scene_runs import FullSceneRuns
from contracts.interruption import Interruption


class TestInterruption(Interruption):
    """Signals in the middle of a run, and a run that has ended."""


class TestRuns(FullSceneRuns):
    """What a run leaves, what reaches training, which weights are taken."""
