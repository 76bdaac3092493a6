"""Configurations as data: configs/<experiment>.toml, beginning with comments that say what the file reproduces."""

import ast
from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence

from shared_data.errors import SharedDataError, UnknownNameError
from shared_data.toml_file import load_toml


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raises UnknownNameError listing what there is."""
    if name not in known:
        raise UnknownNameError("unknown %s '%s'; there are: %s." % (kind, name, ", ".join(known)))


def experiment_names(folder: Any) -> List[str]:
    """Names of the configurations in a folder, sorted."""
    return sorted(path.stem for path in Path(folder).glob("*.toml"))


def describe(folder: Any, name: str) -> str:
    """The comment lines at the head of a configuration, without their '# '."""
    lines = []
    for line in (Path(folder) / (name + ".toml")).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return "\n".join(lines)


def load_config(folder: Any, name: str, overrides: Sequence[str] = ()) -> Dict[str, Any]:
    """Read one configuration and apply overrides "dotted.key=value" (values are Python literals, else strings).

    Raises: UnknownNameError for an unknown configuration, an override without '=', or one whose key the
    configuration does not have; SharedDataError for a value of another kind than the configuration's.
    """
    known = experiment_names(folder)
    check_name("configuration", name, known)
    config = load_toml(Path(folder) / (name + ".toml"))
    for override in overrides:
        _apply(config, override)
    return config


def _apply(config: Dict[str, Any], override: str) -> None:
    dotted, separator, text = override.partition("=")
    *path, last = dotted.strip().split(".")
    section: Any = config
    for part in path:
        section = section.get(part) if isinstance(section, dict) else None
    if not separator or not isinstance(section, dict) or last not in section:
        raise UnknownNameError("override '%s': the configuration has no key '%s'." % (override, dotted.strip()))
    value = _literal(text.strip())
    if _kind(value) is not _kind(section[last]):
        raise SharedDataError(
            "override '%s': expected a value of the same kind as %r, found %r." % (override, section[last], value)
        )
    section[last] = value


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError):
        return text


def _kind(value: Any) -> type:
    """The value's type, float for every number: 0 may become 0.05, but False may not become the string 'false'."""
    return float if type(value) is int else type(value)
