"""Nothing is lost when a run is interrupted, and the life of a full-scene run; the tests are shared by all papers."""

from shared_data.testing.full_scene_runs import *  # noqa: F403
from shared_data.testing.interruption import *  # noqa: F403
