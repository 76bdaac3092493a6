"""The same seed gives the same bits; the tests are shared by all papers."""

from contracts.determinism import *  # noqa: F403
