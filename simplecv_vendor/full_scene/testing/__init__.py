"""Tests of a paper that derives from `full_scene.run`, to be imported like those of `shared_data.testing`."""
