"""Wrong input gives one clear sentence; the tests are shared by all papers."""

from contracts.bad_input import *  # noqa: F403
