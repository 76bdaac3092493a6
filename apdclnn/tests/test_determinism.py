"""The same seed gives the same bits."""

from contracts.determinism import Determinism


class TestDeterminism(Determinism):
    """One seed, several runs."""
