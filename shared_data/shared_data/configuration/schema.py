"""Check configurations by JSON Schema (draft 7), in the file `config.schema.json` of every paper.

A section is an `object` with `properties`, `required` and `additionalProperties: false`. A value has a `type` with its
limits, or an `enum` of names. Numbers are taken literally: 1.0 is no whole number; true and NaN are no numbers.
"""

import json
import math
from pathlib import Path
from typing import Any, Dict, Iterable

import jsonschema

from shared_data.errors import SettingsError, UnknownNameError
from shared_data.quoting import one_line


def _is_whole(_checker: Any, value: Any) -> bool:
    return type(value) is int


def _is_number(_checker: Any, value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


# the standard takes 1.0 for an integer
_TYPES = jsonschema.Draft7Validator.TYPE_CHECKER.redefine_many({"integer": _is_whole, "number": _is_number})
Validator = jsonschema.validators.extend(jsonschema.Draft7Validator, type_checker=_TYPES)

_LIMITS = (
    ("minimum", "at least %s"),
    ("exclusiveMinimum", "above %s"),
    ("maximum", "at most %s"),
    ("exclusiveMaximum", "below %s"),
    ("multipleOf", "a multiple of %s"),
)
ODD = {"multipleOf": 2}  # to exclude even numbers by `not`


def load_schema(path: Any) -> Dict[str, Any]:
    """A packaged schema. path: its file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def check_config(config: Dict[str, Any], schema: Dict[str, Any], file: str) -> None:
    """Compare a configuration with its schema. file: its name, for messages.

    Raises: UnknownNameError for a key or a name that does not exist; SettingsError for a missing key, a value of
    another type or out of range.
    """
    error = jsonschema.exceptions.best_match(Validator(schema).iter_errors(config))
    if error is None:
        return
    name, rule, found = dotted(error.absolute_path), error.schema, error.instance
    if error.validator == "additionalProperties":
        known = rule["properties"]
        unknown = next(key for key in found if key not in known)
        raise UnknownNameError(
            "%s: unknown key '%s'; there are: %s." % (file, one_line(_inside(name, unknown)), ", ".join(known))
        )
    if error.validator == "required":
        missing = next(key for key in rule["required"] if key not in found)
        raise SettingsError("%s: the key '%s' is missing." % (file, _inside(name, missing)))
    if error.validator == "enum":
        raise UnknownNameError(
            "%s: unknown %s '%s'; there are: %s." % (file, name, one_line(found), ", ".join(rule["enum"]))
        )
    raise SettingsError("%s: %s: expected %s, found %s." % (file, name, expected(rule), one_line(repr(found))))


def expected(rule: Dict[str, Any]) -> str:
    """The requirement of a part of a schema in words: "a whole number that is at least 1"."""
    kind = rule["type"]
    if kind == "array":
        return "a list of %s entries, each %s" % (_count(rule), expected(rule["items"]))
    noun = {
        "object": "a section",
        "string": "text",
        "boolean": "true or false",
        "integer": "a whole number",
        "number": "a number",
    }[kind]
    limits = [text % rule[key] for key, text in _LIMITS if key in rule] + ["odd"] * (rule.get("not") == ODD)
    return noun + (" that is " + " and ".join(limits) if limits else "")


def _count(rule: Dict[str, Any]) -> str:
    fewest, most = rule.get("minItems", 0), rule.get("maxItems")
    if most is None:
        return "at least %d" % fewest
    return "%d" % most if fewest == most else "%d to %d" % (fewest, most)


def dotted(path: Iterable[Any]) -> str:
    """train.epochs, or strides[2] for the third entry of a list."""
    name = ""
    for part in path:
        name = "%s[%d]" % (name, part) if isinstance(part, int) else _inside(name, part)
    return name


def _inside(section: str, key: str) -> str:
    return "%s.%s" % (section, key) if section else key
