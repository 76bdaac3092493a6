"""Scenes: the catalogue, reading, download, the generated one."""
