"""The mark by which `simplecv_check` distinguishes this package from the unrelated one of the same name."""

DISTRIBUTION = "hsi-simplecv-vendor"
