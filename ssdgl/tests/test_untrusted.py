"""Untrusted files run no code and are refused in one sentence; the tests are shared by all papers."""

from contracts.untrusted import *  # noqa: F403
