"""Untrusted files run no code and are refused in one sentence."""

import pytest

from contracts.untrusted import UntrustedFiles


@pytest.mark.stack_independent  # its files are not the framework's
class TestUntrustedFiles(UntrustedFiles):
    """Hostile weights and hostile files in the folder of a run."""
