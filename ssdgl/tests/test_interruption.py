"""Nothing is lost when a run is interrupted, and the life of a full-scene run; the tests are shared by all papers."""

from contracts.full_scene_runs import *  # noqa: F403
from contracts.interruption import *  # noqa: F403
