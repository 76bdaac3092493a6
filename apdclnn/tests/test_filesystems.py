"""What becomes of a run on a full or read-only disk; the tests are shared by all papers."""

from contracts.filesystems import *  # noqa: F403
