"""TOML on every Python of the project: the standard library's reader from 3.11 on, tomli before."""

import sys
from typing import Any, Dict

from shared_data.errors import SharedDataError
from shared_data.files.plain import read_text
from shared_data.quoting import one_line

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST = 10**6  # bytes; the catalogue of scenes has some ten thousand


def load_toml(path: Any) -> Dict[str, Any]:
    """The parsed file. Raises: SharedDataError naming the file where it cannot be read or parsed."""
    try:
        return tomllib.loads(read_text(path, LARGEST))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not TOML, or not UTF-8
        raise SharedDataError("%s: it cannot be read as TOML (%s)." % (path, one_line(error))) from error
