"""Configurations: read by name, overridden from the command line, and never with a key or kind they do not have."""

import pytest

from shared_data.configuration.overrides import describe, experiment_names, load_config, split_overrides
from shared_data.errors import SettingsError, SharedDataError, UnknownNameError

PAVIA = """# PaviaU, 1 % training pixels
# Command: make reproduce-ssdgl-pavia

# not of the head
scene = "pavia"
[train]
num_iters = 600
lr = 0.005
shuffle = true
sizes = [1, 2]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pavia.toml").write_text(PAVIA, encoding="utf-8")
    (tmp_path / "houston.toml").write_text('scene = "houston"\n', encoding="utf-8")
    (tmp_path / "notes.txt").write_text("")
    return tmp_path


def test_names_and_descriptions(folder):
    assert experiment_names(folder) == ["houston", "pavia"]
    assert describe(folder, "pavia") == "PaviaU, 1 % training pixels\nCommand: make reproduce-ssdgl-pavia"
    assert describe(folder, "houston") == ""


def test_a_configuration_as_it_stands(folder):
    assert load_config(folder, "pavia") == {
        "scene": "pavia",
        "train": {"num_iters": 600, "lr": 0.005, "shuffle": True, "sizes": [1, 2]},
    }


@pytest.mark.parametrize(
    "override, key, value",
    [
        ("train.num_iters=50", "num_iters", 50),
        (" train.num_iters = 50 ", "num_iters", 50),
        ("train.lr=1e-3", "lr", 0.001),
        ("train.lr=1", "lr", 1),
        ("train.shuffle=False", "shuffle", False),
        ("train.sizes=[3]", "sizes", [3]),
    ],
)
def test_overrides_change_one_key(folder, override, key, value):
    expected = load_config(folder, "pavia")
    expected["train"][key] = value
    assert load_config(folder, "pavia", [override]) == expected


@pytest.mark.parametrize("text", ["indianpines", "'indianpines'", '"indianpines"'])
def test_strings_need_no_quotes(folder, text):
    assert load_config(folder, "pavia", ["scene=" + text])["scene"] == "indianpines"


def test_later_overrides_win_and_may_hold_equal_signs(folder):
    config = load_config(folder, "pavia", ["scene=a", "train.lr=1", "scene=b=c"])
    assert (config["scene"], config["train"]["lr"]) == ("b=c", 1)


def test_an_unknown_configuration_lists_those_that_exist(folder):
    with pytest.raises(UnknownNameError, match=r"unknown configuration 'mars'; there are: houston, pavia\."):
        load_config(folder, "mars")
    with pytest.raises(UnknownNameError):
        load_config(folder / "..", folder.name + "/pavia")


@pytest.mark.parametrize(
    "override",
    ["train.iterations=3", "trian.num_iters=3", "train.num_iters.x=3", "train.num_iters", "=3", "", "train."],
)
def test_an_override_without_a_known_key_is_named(folder, override):
    with pytest.raises(UnknownNameError) as error:
        load_config(folder, "pavia", [override])
    assert "override '%s'" % override in str(error.value)


@pytest.mark.parametrize(
    "override",
    ["train.shuffle=false", "train.shuffle=0", "train.num_iters=many", "train.num_iters=True", "train.num_iters=",
     "train=3", "scene=3", "train.sizes=3", "train.lr={[]: 1}", "train.lr=None"],
)  # fmt: skip
def test_an_override_of_another_kind_is_named(folder, override):
    with pytest.raises(SharedDataError) as error:
        load_config(folder, "pavia", [override])
    assert "override '%s': expected a value of the same kind as" % override in str(error.value)


@pytest.mark.parametrize("content", [b"scene = ", b"# \xff\n"])
def test_a_damaged_configuration_is_named(folder, content):
    (folder / "pavia.toml").write_bytes(content)
    with pytest.raises(SharedDataError, match=r"pavia\.toml: it cannot be read as TOML"):
        load_config(folder, "pavia")


@pytest.mark.parametrize(
    "text, overrides",
    [
        ("train.lr=0.1", ["train.lr=0.1"]),
        (" train.lr=0.1  train.epochs=2\t", ["train.lr=0.1", "train.epochs=2"]),
        ("loss='improved triplet' epochs=2", ["loss='improved triplet'", "epochs=2"]),
        ("loss=improved triplet epochs=2", ["loss=improved triplet", "epochs=2"]),
        (
            "sizes=[1, 2, 3] names=['a b=c', \"d\"] epochs = 2",
            ["sizes=[1, 2, 3]", "names=['a b=c', \"d\"]", "epochs = 2"],
        ),
        (r"name='it\'s a=b' epochs=2", [r"name='it\'s a=b'", "epochs=2"]),
        ("a=don't b=can't", ["a=don't", "b=can't"]),
        ("epochs", ["epochs"]),
        (" ", []),
    ],
)
def test_several_overrides_in_one_text(text, overrides):
    assert split_overrides(text) == overrides


@pytest.mark.parametrize("name", ["my plot", "größe", "-plot", "a.b"])
def test_a_name_that_no_record_can_hold_is_refused_when_the_file_is_read(tmp_path, name):
    (tmp_path / (name + ".toml")).write_text('scene = "pavia"\n')
    (tmp_path / "my-plot_A2.toml").write_text('scene = "pavia"\n')
    assert load_config(tmp_path, "my-plot_A2") == {"scene": "pavia"}
    with pytest.raises(SettingsError, match=r"\.toml: the name of a configuration must be of letters, digits, '-' and"):
        load_config(tmp_path, name)
