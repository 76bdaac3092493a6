"""What a configuration may hold."""

import pytest

from shared_data.config_schema import Number, Numbers, check_config
from shared_data.errors import SettingsError, UnknownNameError

SCHEMA = {
    "scene": str,
    "train": {"epochs": Number(int, 1), "share": Number(float, 0, 1), "rule": ("best", "last")},
    "strides": Numbers(3, 3, Number(int, 1)),
    "kernels": Numbers(1, 2, Number(int, 1)),
}


def config(**changes):
    train = {"epochs": 2, "share": 1, "rule": "best"}
    train.update({key: value for key, value in changes.items() if key in train})
    found = {"scene": "pavia", "train": train, "strides": [1, 2, 2], "kernels": [1]}
    found.update({key: value for key, value in changes.items() if key not in train})
    return found


def test_what_fits_passes():
    check_config(config(), SCHEMA, "pavia.toml")


@pytest.mark.parametrize("changes, message", [
    ({"epochs": 2.0}, "train.epochs: expected a whole number, found 2.0"),
    ({"epochs": True}, "train.epochs: expected a whole number, found True"),
    ({"epochs": 0}, "train.epochs: expected at least 1, found 0"),
    ({"share": 1.5}, "train.share: expected 0 to 1, found 1.5"),
    ({"share": float("nan")}, "train.share: expected 0 to 1, found nan"),
    ({"rule": "first"}, "unknown train.rule 'first'; there are: best, last"),
    ({"scene": 3}, "scene: expected text, found 3"),
    ({"train": 3}, r"pavia.toml: expected a section \[train\], found 3"),
    ({"strides": [1, 2]}, "strides: expected a list of 3 numbers, found"),
    ({"strides": [1, 2, 0]}, "strides: expected at least 1, found 0"),
    ({"kernels": []}, r"kernels: expected a list of 1 to 2 numbers, found \[\]"),
    ({"strides": 2}, "strides: expected a list of 3 numbers, found 2"),
    ({"bands": 3}, "pavia.toml: unknown key 'bands'; there are: scene, train, strides, kernels"),
])  # fmt: skip
def test_what_does_not_fit_is_named(changes, message):
    with pytest.raises((SettingsError, UnknownNameError), match=message):
        check_config(config(**changes), SCHEMA, "pavia.toml")


def test_a_missing_key_is_named():
    without = config()
    del without["train"]["epochs"]
    with pytest.raises(SettingsError, match=r"pavia\.toml: the key 'train.epochs' is missing"):
        check_config(without, SCHEMA, "pavia.toml")
