"""TOML on every Python of the project: the standard library's reader from 3.11 on, tomli before."""

import sys
from typing import Any, Dict

from shared_data.errors import SharedDataError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def load_toml(path: Any) -> Dict[str, Any]:
    """The parsed file. Raises: SharedDataError naming the file where it cannot be read or parsed."""
    try:
        with open(str(path), "rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not TOML, or not UTF-8
        raise SharedDataError("%s: it cannot be read as TOML (%s)." % (path, error)) from error
