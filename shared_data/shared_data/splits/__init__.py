"""Splits into training, validation and test pixels, and the labels that training may read."""
