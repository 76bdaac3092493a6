"""Untrusted files run no code and are refused in one sentence."""

from contracts.untrusted import UntrustedFiles


class TestUntrustedFiles(UntrustedFiles):
    """Hostile weights and hostile files in the folder of a run."""
