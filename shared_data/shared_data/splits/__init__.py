"""Which pixels train, validate and test, and what of their labels a training may see."""
