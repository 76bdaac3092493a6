"""RSSGL: statistical loss regularized 3-D ConvLSTM for hyperspectral images (Wang et al., 2022)."""

from simplecv_check import require_vendored

require_vendored()
