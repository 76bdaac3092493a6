"""What becomes of a run on a full or read-only disk."""

import pytest

from contracts.filesystems import FileSystems


@pytest.mark.stack_independent  # its files are not the framework's
class TestFileSystems(FileSystems):
    """File systems that a run cannot write to."""
