"""What becomes of a run that is not alone."""

from contracts.concurrency import Concurrency


class TestConcurrency(Concurrency):
    """Other processes on the same directory, and at the same time."""
