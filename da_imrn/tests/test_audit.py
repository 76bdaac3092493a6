"""What reaches training, protocol by protocol; the tests are shared by all papers."""

from contracts.audit import *  # noqa: F403
