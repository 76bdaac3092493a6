"""Wrong input gives one clear sentence; the tests are shared by all papers."""

from shared_data.testing.bad_input import *  # noqa: F403
