"""What becomes of a run on a full or read-only disk."""

from contracts.filesystems import FileSystems


class TestFileSystems(FileSystems):
    """File systems that a run cannot write to."""
