"""What reaches training, protocol by protocol."""

from contracts.audit import Audit


class TestAudit(Audit):
    """The findings of an audit under each protocol."""
