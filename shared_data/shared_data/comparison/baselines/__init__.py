"""Baselines without a network: four classifiers of spectra, of 5×5 mean spectra, and of a pixel's place alone."""
