"""A2S2K-ResNet: attention-based adaptive spectral-spatial kernels for hyperspectral images (Roy et al., 2020)."""
