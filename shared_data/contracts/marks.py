"""Marks of tests."""

import pytest

from contracts.faults import FAULTS

LONG = pytest.mark.skipif(not FAULTS, reason="takes minutes: make faults")
