"""One short run as a whole."""

from contracts.smoke import Smoke


class TestSmoke(Smoke):
    """Two steps, and their record."""
