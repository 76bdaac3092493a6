"""Configurations are Python modules under a package `configs`, each with a dict called `config`."""

import importlib
from typing import Any, Dict

from simplecv.errors import ConfigError


def import_config(name: str, prefix: str = "configs") -> Dict[str, Any]:
    """The dict `config` of the module `<prefix>.<name>`, for example `import_config('freenet.pavia')`.

    Raises: ConfigError when there is no such module, or it has no `config`; an error inside the module passes through.
    """
    module_name = f"{prefix}.{name}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"Configuration '{name}' not found: there is no module '{error.name}'; run from the folder that holds "
            f"'{prefix}/', and name the file with dots and without '.py'."
        ) from error
    if not hasattr(module, "config"):
        raise ConfigError(f"Configuration '{name}': the module {module.__file__} defines no dict called 'config'.")
    return module.config
