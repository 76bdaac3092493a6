"""An own scene with the generic configuration."""

from contracts.own_scene import OwnScene


class TestOwnScene(OwnScene):
    """Commands with --scene."""
