"""What every paper must pass: bad input and interruption."""

from shared_data.testing.bad_input import *  # noqa: F403
from shared_data.testing.interruption import *  # noqa: F403
