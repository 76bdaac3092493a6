"""Configurations are data: names, overrides, JSON Schema."""
