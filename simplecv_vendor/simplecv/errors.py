"""Errors of this package. Each message is one sentence: what was found, what was expected, what to do."""


class SimpleCVError(Exception):
    """Base of every error raised on purpose by this package."""


class ConfigError(SimpleCVError, ValueError):
    """A configuration is missing something, or holds a value that cannot be used."""


class UnknownConfigKeyError(ConfigError):
    """A configuration holds an unknown key."""


class UnreadConfigError(ConfigError):
    """A configuration holds a key that was never read, probably misspelt."""


class CheckpointError(SimpleCVError):
    """A checkpoint file cannot be read, is unsafe to read, or does not fit the model."""


class LoaderError(SimpleCVError):
    """A data loader yields no batch."""


class ModelOutputError(SimpleCVError):
    """A model in training mode did not return a dict with at least one entry whose key ends in 'loss'."""


class DeviceNotFoundError(SimpleCVError):
    """The requested device does not exist on this machine or in this PyTorch."""
