"""Data loaders by configuration, and array preprocessing."""
