"""Objects with default settings that a given configuration overrides."""

from typing import Any, Dict, List

from simplecv.core.config import AttrDict


class ConfigurableMixin:
    """Holds `config`: the defaults of the class, overridden by what is given.

    A subclass sets its defaults in `set_defalut_config` (the spelling scripts use) or `set_default_config`, by
    `self.config.update(dict(...))`. `unknown_config_keys` lists the given keys (dotted) that have no default.
    """

    def __init__(self, config: Dict[str, Any]):
        self._cfg = AttrDict()
        self.set_defalut_config()
        self.unknown_config_keys = _unknown(config, self._cfg)
        self._cfg.update(config)

    @property
    def config(self) -> AttrDict:
        return self._cfg

    def set_defalut_config(self) -> None:
        self.set_default_config()

    def set_default_config(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define set_default_config (or set_defalut_config).")


def _unknown(given: Dict[str, Any], defaults: Dict[str, Any]) -> List[str]:
    """Dotted keys of `given` that `defaults` lacks; an empty dict as default accepts anything below it."""
    names: List[str] = []
    for key, value in dict.items(given):
        default = dict.get(defaults, key)
        if key not in defaults:
            names.append(str(key))
        elif isinstance(value, dict) and isinstance(default, dict) and default:
            names.extend(f"{key}.{name}" for name in _unknown(value, default))
    return names
