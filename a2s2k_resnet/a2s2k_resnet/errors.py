"""Errors a user may meet beside those of the shared code. Each message is one sentence."""

import contextlib
from typing import Iterator

from shared_data.errors import SharedDataError


class SettingsError(SharedDataError):
    """A configuration asks for something that the network, the scene or the split does not allow."""


class CheckpointError(SharedDataError):
    """A file of weights cannot be read, or does not fit the network."""


class DeviceError(SharedDataError):
    """A device that does not exist, or that PyTorch does not see."""


@contextlib.contextmanager
def settings_of(experiment: str) -> Iterator[None]:
    """Within the block a ValueError (sizes that do not fit) becomes a SettingsError that names the experiment."""
    try:
        yield
    except ValueError as error:
        raise SettingsError("%s: %s." % (experiment, error)) from error
