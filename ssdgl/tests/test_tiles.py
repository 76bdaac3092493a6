"""Prediction tile by tile; what must hold is written once, for both full-scene networks."""

from contracts.full_scene_tiles import *  # noqa: F403
