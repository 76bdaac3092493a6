"""Untrusted files run no code and are refused in one sentence; the tests are shared by all papers."""

from shared_data.testing.untrusted import *  # noqa: F403
