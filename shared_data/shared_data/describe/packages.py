"""Packages that single file formats need, imported when such a file is opened."""

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared_data.errors import SceneFormatError
from shared_data.quoting import one_line


def needed(module: str, path: Path, kind: str) -> Any:
    """The module that reads a file. kind: "an ENVI file". Raises: SceneFormatError where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise SceneFormatError(
            f"{path}: {kind} is read by the package {package}, which is not installed; run 'pip install {package}', "
            "or use 'make scene', whose environment has it."
        ) from error


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Whatever a package raises inside, for damaged bytes nearly anything, becomes a SceneFormatError."""
    try:
        yield
    except SceneFormatError:
        raise
    except Exception as error:
        reason = one_line(error, 200).rstrip(".") or type(error).__name__
        raise SceneFormatError(f"{path}: expected {kind}, which cannot be read ({reason}); write it anew.") from error
