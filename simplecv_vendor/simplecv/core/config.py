"""`AttrDict`: a nested configuration with attribute access that knows which of its leaves were read.

A configuration key that is never read is nearly always a misspelt one. Reading a leaf by attribute, `[]`, `get` or
`pop` marks it; iterating over a level (`for`, `keys`, `values`, `items`, `**`) marks all leaves of that level. A leaf
that was merged from another AttrDict marks the leaf it came from as well, so reading a model's own copy counts.
"""

import ast
import copy
import warnings
from typing import Any, Dict, Iterator, List, Sequence

from simplecv.errors import ConfigError, UnreadConfigError


class AttrDict(dict):
    """A dict whose nested dicts are AttrDicts and whose items are attributes too."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "AttrDict":
        self = super().__new__(cls)
        object.__setattr__(self, "_read", set())
        object.__setattr__(self, "_origins", {})
        return self

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        self.update(*args, **kwargs)

    @staticmethod
    def from_dict(source: Dict[str, Any]) -> "AttrDict":
        """A nested copy of `source` (lists and other values are shared, not copied)."""
        return AttrDict(source)

    # writing

    def update(self, *sources: Any, **items: Any) -> None:
        """Merge recursively: nested dicts are merged key by key, everything else is replaced."""
        for source in (*sources, items):
            source = source if isinstance(source, dict) else dict(source)
            for key, value in dict.items(source):
                self._merge(key, value, source)

    def _merge(self, key: Any, value: Any, source: Dict[Any, Any]) -> None:
        if isinstance(value, dict):
            if not isinstance(dict.get(self, key), AttrDict):
                self[key] = AttrDict()
            dict.__getitem__(self, key).update(value)
            return
        self[key] = value
        if isinstance(source, AttrDict):
            self._origins[key] = source

    def update_from_list(self, pairs: Sequence[Any]) -> None:
        """Set leaves from `['a.b', '3', ...]`; values are Python literals, anything else stays a string (warned).

        Raises: ConfigError when the number of entries is odd, or a section on the way to a key does not exist.
        """
        if len(pairs) % 2:
            raise ConfigError(
                f"Overrides come as 'key value' pairs, but {len(pairs)} entries were given: {list(pairs)}."
            )
        for dotted, text in zip(pairs[0::2], pairs[1::2]):
            *path, last = dotted.split(".")
            section = self
            for part in path:
                below = dict.get(section, part)
                if not isinstance(below, AttrDict):
                    raise ConfigError(f"Override '{dotted}': the configuration has no section '{part}'.")
                section = below
            section[last] = _literal(dotted, text)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, dict) and not isinstance(value, AttrDict):
            value = AttrDict(value)
        self._read.discard(key)
        self._origins.pop(key, None)
        super().__setitem__(key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self:
            raise AttributeError(name)
        del self[name]

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    # reading

    def _mark(self, key: Any) -> None:
        if key in self._read or isinstance(dict.get(self, key), AttrDict):
            return
        self._read.add(key)
        if key in self._origins:
            self._origins[key]._mark(key)

    def _mark_level(self) -> None:
        for key in dict.keys(self):
            self._mark(key)

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        self._mark(key)
        return value

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(
                f"The configuration has no key '{name}'; it has: {', '.join(map(str, dict.keys(self)))}."
            )
        return self[name]

    def get(self, key: Any, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401 (dict.get would not mark)

    def pop(self, key: Any, *default: Any) -> Any:
        self._mark(key)
        return super().pop(key, *default)

    def __iter__(self) -> Iterator[Any]:
        self._mark_level()
        return super().__iter__()

    def keys(self) -> Any:
        self._mark_level()
        return super().keys()

    def values(self) -> Any:
        self._mark_level()
        return super().values()

    def items(self) -> Any:
        self._mark_level()
        return super().items()

    # copies

    def to_dict(self) -> Dict[str, Any]:
        """A plain nested dict; does not count as reading."""
        return {k: v.to_dict() if isinstance(v, AttrDict) else v for k, v in dict.items(self)}

    def copy(self) -> "AttrDict":
        """A nested copy whose reads count for this one too."""
        return AttrDict(self)

    __copy__ = copy

    def __deepcopy__(self, memo: Dict[int, Any]) -> "AttrDict":
        twin = AttrDict(self)
        for key, value in dict.items(self):
            dict.__setitem__(twin, key, copy.deepcopy(value, memo))
        return twin

    def __reduce__(self) -> Any:
        return AttrDict.from_dict, (self.to_dict(),)

    # reporting

    def unread(self) -> List[str]:
        """Dotted names of the leaves that were never read, in order."""
        names: List[str] = []
        for key, value in dict.items(self):
            if isinstance(value, AttrDict):
                names.extend(f"{key}.{name}" for name in value.unread())
            elif key not in self._read:
                names.append(str(key))
        return names

    def check_unread(self, strict: bool, ignore: Sequence[str] = ()) -> None:
        """Report unread leaves, except those inside the top-level sections `ignore`.

        Raises: UnreadConfigError when `strict`; otherwise a warning is given.
        """
        names = [name for name in self.unread() if name.split(".")[0] not in ignore]
        if not names:
            return
        sentence = f"Nothing read these configuration keys, probably misspelt: {', '.join(names)}."
        if strict:
            raise UnreadConfigError(sentence)
        warnings.warn(sentence, stacklevel=2)


def _literal(name: str, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        warnings.warn(f"Override '{name}': '{text}' is not a Python literal and is kept as a string.", stacklevel=3)
        return text
