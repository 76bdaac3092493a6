"""What every paper must pass: bad input, interruption, and the life of a full-scene run."""

from full_scene.testing.runs import *  # noqa: F403
from shared_data.testing.bad_input import *  # noqa: F403
from shared_data.testing.interruption import *  # noqa: F403
