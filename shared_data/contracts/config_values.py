"""Wrong values of a configuration give a one-sentence error with the key, before anything is read or written.

A paper's test module brings its list of wrong values and calls `refused` for each.
"""

from typing import Any, Dict

from contracts.bad_input import fails
from shared_data.configuration.schema import Validator


def refused(paper, capsys, tmp_path, overrides, experiment="indianpines"):
    """overrides: "dotted.key=value", several as a tuple; the message must name the last one's key.

    The scene's files do not exist either, so an error about the key shows that none were read before it.
    """
    overrides = (overrides,) if isinstance(overrides, str) else overrides
    words = ["reproduce", experiment, "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    for override in overrides:
        words += ["--set", override]
    message = fails(paper, capsys, words, overrides[-1].partition("=")[0])
    assert not (tmp_path / "out").exists()
    return message


def check_schema(schema: Dict[str, Any]) -> None:
    """It is a JSON Schema, and every section refuses unknown keys."""
    Validator.check_schema(schema)
    sections = [schema]
    for section in sections:
        assert section["additionalProperties"] is False
        assert set(section["required"]) <= set(section["properties"])
        sections += [one for one in section["properties"].values() if one.get("type") == "object"]
    assert len(sections) > 3


def property_of(schema: Dict[str, Any], dotted: str) -> Dict[str, Any]:
    """The part of a schema for one key."""
    for key in dotted.split("."):
        schema = schema["properties"][key]
    return schema
