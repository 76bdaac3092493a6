"""What the five papers share: scenes, splits, metrics, maps, run records, published numbers, comparison."""

__version__ = "0.2.0"
