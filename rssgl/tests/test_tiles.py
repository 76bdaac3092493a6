"""Prediction tile by tile; what must hold is written once, for both full-scene networks."""

from shared_data.testing.full_scene_tiles import *  # noqa: F403
