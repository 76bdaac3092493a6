"""Helpers: registries, configuration import, logging, metrics, tensors, processes."""
