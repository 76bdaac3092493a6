"""SSDGL: spectral-spatial-dependent global learning for hyperspectral images (Zhu et al., 2021)."""

from simplecv_check import require_vendored

require_vendored()
