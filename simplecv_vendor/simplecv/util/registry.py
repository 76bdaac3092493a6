"""Registries: dict-like tables from a name in a configuration to the class or function that it means."""

import warnings
from typing import Any, Callable, Optional


class Registry(dict):
    """A dict of classes and functions by name, filled by `register`."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def register(self, name: str, obj: Optional[Any] = None, override: bool = False) -> Any:
        """`@X.register('name')` above a class, or `X.register('name', obj)` as a call; both return the object.

        A name that is registered already is replaced, with a warning unless `override`.
        """
        if obj is None:
            return lambda decorated: self._enter(name, decorated, override)
        return self._enter(name, obj, override)

    def _enter(self, name: str, obj: Any, override: bool) -> Any:
        if name in self and self[name] is not obj and not override:
            warnings.warn(
                f"{self.kind} registry: '{name}' was registered already and is now replaced "
                "(override=True says that this is meant).",
                stacklevel=3,
            )
        self[name] = obj
        return obj

    def lookup(self, name: str) -> Callable[..., Any]:
        """The object registered as `name`. Raises: ValueError naming what is registered."""
        if name not in self:
            known = ", ".join(sorted(self)) or "nothing"
            raise ValueError(f"{self.kind} registry: type '{name}' is unknown; registered: {known}.")
        return self[name]


MODEL = Registry("MODEL")
DATALOADER = Registry("DATALOADER")
LR = Registry("LR")
OPT = Registry("OPT")
LOSS = Registry("LOSS")
OP = Registry("OP")
