"""Configurations as data: configs/<experiment>.toml, beginning with comments that say what the file reproduces."""

import ast
import math
import re
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Sequence

from shared_data.configuration.names import RULE, is_name
from shared_data.errors import SettingsError, SharedDataError, UnknownNameError
from shared_data.files.plain import read_text
from shared_data.files.toml import LARGEST, load_toml
from shared_data.quoting import one_line

# tokens of several overrides: the blanks between two of them, a quoted text (in a value; not an apostrophe in a word),
# # or any other character
_PIECE = re.compile(
    r"""(?P<between>\s+(?=[\w.-]+\s*=))|(?<=[=\s,:\[({])(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|.""", re.DOTALL
)
GENERIC = "generic"  # configs/generic.toml: for a scene of a user's own, never by this name
_DEEPEST = 16  # sections within sections; a configuration has three


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raises UnknownNameError, which lists the existing names."""
    if name not in known:
        raise UnknownNameError("unknown %s '%s'; there are: %s." % (kind, one_line(name), ", ".join(known)))


def experiment_names(folder: Any) -> List[str]:
    """Names of the configurations in a folder, sorted, without the one that needs a scene, `GENERIC`."""
    return sorted(path.stem for path in Path(folder).glob("*.toml") if path.stem != GENERIC)


def describe(folder: Any, name: str) -> str:
    """The comment lines at the head of a configuration, without their '# ', each one printable.

    Raises: SharedDataError naming the file where it cannot be read as text.
    """
    path = Path(folder) / (name + ".toml")
    try:
        text = read_text(path, LARGEST)
    except (OSError, ValueError) as error:  # ValueError: not UTF-8
        raise SharedDataError("%s: it cannot be read as text (%s)." % (path, one_line(error))) from error
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(one_line(line.lstrip("# ")))
    return "\n".join(lines)


def split_overrides(text: str) -> List[str]:
    """Split "key=value key=value ..." at each blank that precedes "key=" outside of quotes."""
    pieces = [""]
    for match in _PIECE.finditer(text.strip()):
        if match.group("between"):
            pieces.append("")
        else:
            pieces[-1] += match.group()
    return [piece for piece in pieces if piece]


def load_config(folder: Any, name: str, overrides: Sequence[str] = ()) -> Dict[str, Any]:
    """Read one configuration and apply overrides "dotted.key=value" (values are Python literals, else strings).

    Raises: UnknownNameError for an unknown configuration, an override without '=', or one whose key the
    configuration does not have; SettingsError where a run record cannot hold its name, or something in it, such as a
    date or an infinity; SharedDataError where it cannot be read, and for a value of another kind than the
    configuration's.
    """
    if name != GENERIC:
        check_name("configuration", name, experiment_names(folder))
    path = Path(folder) / (name + ".toml")
    if not is_name(name):
        raise SettingsError("%s: the name of a configuration must be of %s; rename the file." % (one_line(path), RULE))
    config = load_toml(path)
    for place in _odd_places(config):
        raise SettingsError(
            "%s: expected text, true, false, or a finite number of 64 bits at '%s', found something else."
            % (path, one_line(place))
        )
    for override in overrides:
        _apply(config, override)
    return config


def key_of(override: str) -> str:
    """The dotted key of "dotted.key=value"."""
    return override.partition("=")[0].strip()


def _apply(config: Dict[str, Any], override: str) -> None:
    shown = one_line(override)
    dotted, separator, text = override.partition("=")
    *path, last = dotted.strip().split(".")
    section: Any = config
    for part in path:
        section = section.get(part) if isinstance(section, dict) else None
    if not separator or not isinstance(section, dict) or last not in section:
        raise UnknownNameError("override '%s': the configuration has no key '%s'." % (shown, one_line(dotted.strip())))
    value = _literal(text.strip())
    if _kind(value) is not _kind(section[last]):
        raise SharedDataError(
            "override '%s': expected a value of the same kind as %s, found %s."
            % (shown, one_line(repr(section[last])), one_line(repr(value)))
        )
    section[last] = value


def _literal(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # the last two: nested too deeply
        return text
    return text if value is not None and list(_odd_places(value)) else value


def _odd_places(value: Any, place: str = "", depth: int = 0) -> Iterator[str]:
    """The dotted place of a nested value that a run record cannot hold or that is nested too deeply."""
    if depth > _DEEPEST:
        yield place
    elif isinstance(value, (dict, list)):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            inner = "%s.%s" % (place, key) if place else str(key)
            if isinstance(value, dict) and not isinstance(key, str):
                yield inner
            yield from _odd_places(one, inner, depth + 1)
    elif type(value) is int:
        if not -(2**63) <= value < 2**63:
            yield place
    elif not isinstance(value, (bool, str)) and not (type(value) is float and math.isfinite(value)):
        yield place


def _kind(value: Any) -> type:
    """The value's type, float for every number: 0 may become 0.05, but False may not become the string 'false'."""
    return float if type(value) is int else type(value)
