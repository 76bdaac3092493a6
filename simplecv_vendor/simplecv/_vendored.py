"""The mark by which `simplecv_check` tells this package from the unrelated one of the same name."""

DISTRIBUTION = "hsi-simplecv-vendor"
