"""Prediction tile by tile; what must hold is written once, for both full-scene networks."""

from full_scene.testing.tiles import *  # noqa: F403
