"""What a saved model brings; the tests are shared by all papers."""

from shared_data.testing.saved_models import *  # noqa: F403
