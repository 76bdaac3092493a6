"""Wrong input gives one clear sentence."""

from contracts.bad_input import BadInput


class TestBadInput(BadInput):
    """What is typed wrongly, missing, or not what it should be."""
