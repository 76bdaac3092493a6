"""What a configuration may hold."""

import pytest

from shared_data.configuration.schema import check_config, expected
from shared_data.errors import SettingsError, UnknownNameError


def section(**properties):
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}


POSITIVE = {"type": "integer", "minimum": 1}
SCHEMA = section(
    scene={"type": "string"},
    train=section(
        epochs=POSITIVE,
        share={"type": "number", "minimum": 0, "maximum": 1},
        rule={"enum": ["best", "last"]},
        shuffle={"type": "boolean"},
        lr={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 2},
    ),
    strides={"type": "array", "minItems": 3, "maxItems": 3, "items": POSITIVE},
    kernels={
        "type": "array",
        "minItems": 1,
        "maxItems": 2,
        "items": {"type": "integer", "minimum": 1, "not": {"multipleOf": 2}},
    },
    channels={"type": "integer", "minimum": 16, "multipleOf": 16},
)


def config(**changes):
    train = {"epochs": 2, "share": 1, "rule": "best", "shuffle": True, "lr": 0.5}
    train.update({key: value for key, value in changes.items() if key in train})
    found = {"scene": "pavia", "train": train, "strides": [1, 2, 2], "kernels": [1], "channels": 32}
    found.update({key: value for key, value in changes.items() if key not in train})
    return found


def test_what_fits_passes():
    check_config(config(), SCHEMA, "pavia.toml")


@pytest.mark.parametrize("changes, message", [
    ({"epochs": 2.0}, "train.epochs: expected a whole number that is at least 1, found 2.0."),
    ({"epochs": True}, "train.epochs: expected a whole number that is at least 1, found True."),
    ({"epochs": 0}, "train.epochs: expected a whole number that is at least 1, found 0."),
    ({"epochs": "2"}, "train.epochs: expected a whole number that is at least 1, found '2'."),
    ({"share": 1.5}, "train.share: expected a number that is at least 0 and at most 1, found 1.5."),
    ({"share": False}, "train.share: expected a number that is at least 0 and at most 1, found False."),
    ({"share": float("nan")}, "train.share: expected a number that is at least 0 and at most 1, found nan."),
    ({"lr": 0}, "train.lr: expected a number that is above 0 and below 2, found 0."),
    ({"lr": float("inf")}, "train.lr: expected a number that is above 0 and below 2, found inf."),
    ({"rule": "first"}, "unknown train.rule 'first'; there are: best, last."),
    ({"rule": ["best"]}, "unknown train.rule '['best']'; there are: best, last."),
    ({"shuffle": 1}, "train.shuffle: expected true or false, found 1."),
    ({"scene": 3}, "scene: expected text, found 3."),
    ({"scene": "a\nb", "train": 3}, "train: expected a section, found 3."),
    ({"strides": [1, 2]},
     "strides: expected a list of 3 entries, each a whole number that is at least 1, found [1, 2]."),
    ({"strides": [1, 2, 0]}, "strides[2]: expected a whole number that is at least 1, found 0."),
    ({"strides": 2}, "strides: expected a list of 3 entries, each a whole number that is at least 1, found 2."),
    ({"kernels": []},
     "kernels: expected a list of 1 to 2 entries, each a whole number that is at least 1 and odd, found []."),
    ({"kernels": [4]}, "kernels[0]: expected a whole number that is at least 1 and odd, found 4."),
    ({"channels": 40}, "channels: expected a whole number that is at least 16 and a multiple of 16, found 40."),
    ({"bands": 3}, "unknown key 'bands'; there are: scene, train, strides, kernels, channels."),
    ({"train": dict(config()["train"], epoch=3)},
     "unknown key 'train.epoch'; there are: epochs, share, rule, shuffle, lr."),
    ({"line\nbreak": 3}, r"unknown key 'line\nbreak'; there are: scene, train, strides, kernels, channels."),
])  # fmt: skip
def test_what_does_not_fit_is_named(changes, message):
    with pytest.raises((SettingsError, UnknownNameError)) as error:
        check_config(config(**changes), SCHEMA, "pavia.toml")
    assert str(error.value) == "pavia.toml: " + message


def test_a_missing_key_is_named():
    without = config()
    del without["train"]["epochs"]
    with pytest.raises(SettingsError, match=r"^pavia\.toml: the key 'train.epochs' is missing\.$"):
        check_config(without, SCHEMA, "pavia.toml")
    with pytest.raises(SettingsError, match=r"^pavia\.toml: the key 'scene' is missing\.$"):
        check_config({}, SCHEMA, "pavia.toml")


def test_a_list_without_limits():
    rule = {"type": "array", "minItems": 1, "items": {"type": "number"}}
    assert expected(rule) == "a list of at least 1 entries, each a number"
