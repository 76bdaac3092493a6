"""SSDGL: spectral-spatial-dependent global learning for hyperspectral images (Zhu et al., 2021)."""
