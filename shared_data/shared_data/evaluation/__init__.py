"""Metrics, statistics and maps of a prediction."""
