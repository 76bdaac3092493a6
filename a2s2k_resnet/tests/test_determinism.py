"""The same seed gives the same bits; the tests are shared by all papers."""

from shared_data.testing.determinism import *  # noqa: F403
