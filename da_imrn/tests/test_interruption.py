"""Nothing is lost when a run is interrupted."""

from contracts.interruption import Interruption


class TestInterruption(Interruption):
    """Signals in the middle of a run, and a run that has ended."""
