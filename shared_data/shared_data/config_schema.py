"""What a configuration may hold: every key named once, with the values it takes.

A schema is a dict of rules: another dict for a section, a tuple of names to choose from, `Number`, `Numbers`, `str` or
`bool`.
"""

from typing import Any, Dict, NamedTuple, Optional

from shared_data.configs import check_name
from shared_data.errors import SettingsError, UnknownNameError
from shared_data.quoting import one_line


class Number(NamedTuple):
    """A number: its type (float takes whole numbers, too) and the smallest and largest value, None for no limit."""

    kind: type
    lowest: float
    highest: Optional[float] = None


class Numbers(NamedTuple):
    """A list of `fewest` to `most` numbers, each as `each` says."""

    fewest: int
    most: int
    each: Number


def check_config(config: Dict[str, Any], schema: Dict[str, Any], file: str) -> None:
    """Compare a configuration with its schema. file: its name, for messages.

    Raises: UnknownNameError for a key or a name that does not exist; SettingsError for a missing key, a value of
    another kind or out of range.
    """
    _check_section(config, schema, file, "")


def _check_section(section: Dict[str, Any], schema: Dict[str, Any], file: str, path: str) -> None:
    for key in section:
        if key not in schema:
            raise UnknownNameError(
                "%s: unknown key '%s'; there are: %s." % (file, one_line(path + str(key)), ", ".join(schema))
            )
    for key, rule in schema.items():
        if key not in section:
            raise SettingsError("%s: the key '%s%s' is missing." % (file, path, key))
        if isinstance(rule, dict):
            if not isinstance(section[key], dict):
                raise SettingsError(
                    "%s: expected a section [%s%s], found %s." % (file, path, key, _shown(section[key]))
                )
            _check_section(section[key], rule, file, path + key + ".")
        else:
            _check_value(section[key], rule, path + key)


def _check_value(value: Any, rule: Any, name: str) -> None:
    if isinstance(rule, Number):
        _check_number(value, rule, name)
    elif isinstance(rule, Numbers):
        if not isinstance(value, list) or not rule.fewest <= len(value) <= rule.most:
            count = "%d" % rule.most if rule.fewest == rule.most else "%d to %d" % (rule.fewest, rule.most)
            raise SettingsError("%s: expected a list of %s numbers, found %s." % (name, count, _shown(value)))
        for one in value:
            _check_number(one, rule.each, name)
    elif isinstance(rule, tuple):
        check_name(name, value, rule)
    elif not isinstance(value, rule):
        expected = "true or false" if rule is bool else "text"
        raise SettingsError("%s: expected %s, found %s." % (name, expected, _shown(value)))


def _check_number(value: Any, rule: Number, name: str) -> None:
    whole = type(value) is int
    if not (whole or (type(value) is float and rule.kind is float)):
        expected = "a whole number" if rule.kind is int else "a number"
        raise SettingsError("%s: expected %s, found %s." % (name, expected, _shown(value)))
    if not rule.lowest <= value or (rule.highest is not None and value > rule.highest):
        limit = "at least %g" % rule.lowest if rule.highest is None else "%g to %g" % (rule.lowest, rule.highest)
        raise SettingsError("%s: expected %s, found %r." % (name, limit, value))


def _shown(value: Any) -> str:
    return one_line(repr(value))
