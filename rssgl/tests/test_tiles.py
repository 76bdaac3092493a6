"""Prediction tile by tile; what must hold is written once, for both full-scene networks."""

from contracts.full_scene_tiles import Tiles


class TestTiles(Tiles):
    """A network in tiles is the network on the whole scene."""
