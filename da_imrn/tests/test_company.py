"""What becomes of a run that is not alone."""

from contracts.company import Company


class TestCompany(Company):
    """Other processes on the same directory, and at the same time."""
