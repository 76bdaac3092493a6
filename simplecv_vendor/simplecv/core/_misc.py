"""Small helpers around dicts."""

from typing import Any, Dict

from simplecv.core.config import AttrDict
from simplecv.errors import ConfigError


def merge_dict(first: Dict[str, Any], second: Dict[str, Any]) -> Dict[str, Any]:
    """A new dict with the items of both; an AttrDict where `first` is one. Raises: ConfigError on a common key."""
    common = sorted(str(key) for key in dict.keys(first) & dict.keys(second))
    if common:
        raise ConfigError(f"Two sections define the same keys: {', '.join(common)}.")
    merged = AttrDict() if isinstance(first, AttrDict) else {}
    merged.update(first)
    merged.update(second)
    return merged
