"""Nothing is lost when a run is interrupted; the tests are shared by all papers."""

from shared_data.testing.interruption import *  # noqa: F403
