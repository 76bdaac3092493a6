"""Optimizers and learning rates by configuration."""
