"""The baselines on this paper's pixels."""

from contracts.baselines import Baselines


class TestBaselines(Baselines):
    """See contracts.baselines."""
