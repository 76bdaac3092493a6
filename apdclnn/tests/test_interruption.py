"""Nothing is lost when a run is interrupted; the tests are shared by all papers."""

from contracts.interruption import *  # noqa: F403
