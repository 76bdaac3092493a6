"""Errors shown to users. Each message is one sentence: path, expected, found, what to do."""

import contextlib
from typing import Iterator


class SharedDataError(Exception):
    """Base of all errors meant for users; the command lines print them without a traceback."""


class UnknownNameError(SharedDataError):
    """A scene, protocol, experiment or configuration key that does not exist."""


class CatalogueError(SharedDataError):
    """The catalogue of scenes (`scenes.toml`), or the description of an own scene, does not follow its schema."""


class SceneNotFoundError(SharedDataError):
    """A scene file is in none of the data folders."""


class SceneVerificationError(SharedDataError):
    """A scene file is not the catalogue's, byte for byte, and unverified data was not asked for."""


class SceneFormatError(SharedDataError):
    """A scene file cannot be read, or holds something other than the catalogue describes."""


class DownloadError(SharedDataError):
    """No source delivered the file with the expected hash."""


class SplitError(SharedDataError):
    """A class has too few labelled pixels for a split, or the files of a split cannot be used."""


class SealedError(SharedDataError):
    """A method asks for test labels before training is over, under a protocol that does not disclose them."""


class TrainingError(SharedDataError):
    """The loss of a training is not a finite number."""


class RunDirectoryError(SharedDataError):
    """A run directory is in use, cannot be written, or holds a different run."""


class RecordError(SharedDataError):
    """A run record or a published number does not follow its schema."""


class SettingsError(SharedDataError):
    """A configuration asks for something that the network, the scene or the split does not allow."""


class CheckpointError(SharedDataError):
    """A file of weights cannot be read, or does not fit the network."""


class DeviceError(SharedDataError):
    """A device that does not exist, or that the framework does not detect."""


@contextlib.contextmanager
def settings_of(experiment: str) -> Iterator[None]:
    """Turn a ValueError of the block (sizes that do not fit) into a SettingsError that names the experiment."""
    try:
        yield
    except ValueError as error:
        raise SettingsError("%s: %s." % (experiment, error)) from error
