"""What becomes of a run on a full or read-only disk; the tests are shared by all papers."""

from shared_data.testing.filesystems import *  # noqa: F403
