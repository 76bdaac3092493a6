"""What a saved model brings; the tests are shared by all papers."""

from contracts.saved_models import *  # noqa: F403
