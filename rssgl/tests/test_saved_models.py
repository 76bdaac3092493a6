"""What a saved model brings."""

from contracts.saved_models import SavedModels


class TestSavedModels(SavedModels):
    """Predictions of a saved model, on the scene of training and on others."""
