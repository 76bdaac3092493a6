"""What reaches training, protocol by protocol; the tests are shared by all papers."""

from shared_data.testing.audit import *  # noqa: F403
