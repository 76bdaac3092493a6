"""What becomes of a run that is not alone; the tests are shared by all papers."""

from contracts.company import *  # noqa: F403
