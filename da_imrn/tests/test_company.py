"""What becomes of a run that is not alone; the tests are shared by all papers."""

from shared_data.testing.company import *  # noqa: F403
