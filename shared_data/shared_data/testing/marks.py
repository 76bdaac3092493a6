"""Marks of tests."""

import pytest

from shared_data.testing.faults import FAULTS

LONG = pytest.mark.skipif(not FAULTS, reason="takes minutes: make faults")
