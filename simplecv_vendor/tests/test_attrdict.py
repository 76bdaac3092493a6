"""The nested configuration: access, merging, overrides, and which keys were read."""

import copy
import json
import pickle

import pytest

from simplecv.core._misc import merge_dict
from simplecv.core.config import AttrDict
from simplecv.errors import ConfigError, UnreadConfigError
from simplecv.util.config import import_config


def take_all(**kwargs):
    return kwargs


def test_nested_attribute_and_item_access():
    config = AttrDict.from_dict({"model": {"params": {"num_classes": 9}}, "names": ["a"]})
    assert config.model.params.num_classes == config["model"]["params"]["num_classes"] == 9
    config.model.params.extra = {"deep": 1}
    assert config.model.params.extra.deep == 1
    assert "extra" in config.model.params and not hasattr(config, "missing")
    with pytest.raises(AttributeError, match=r"no key 'missing'.*model, names"):
        _ = config.missing
    del config.names
    assert list(config) == ["model"]


def test_update_is_recursive_and_replaces_a_leaf_by_a_section_and_back():
    config = AttrDict(a={"x": 1, "y": 2}, b=3)
    config.update({"a": {"y": 5}, "b": {"z": 6}})
    config.update(a=None)
    assert config == {"a": None, "b": {"z": 6}}


def test_a_copy_does_not_share_sections():
    config = AttrDict(a={"x": 1})
    for twin in (config.copy(), copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        twin.a.x = 2
        assert isinstance(twin.a, AttrDict)
        assert config.to_dict() == {"a": {"x": 1}}


def test_overrides_are_python_literals():
    config = AttrDict(train={"num_iters": 1, "names": (), "flag": False})
    config.update_from_list(
        ["train.num_iters", "3", "train.names", "(1, 'a')", "train.flag", "True", "train.lr", "1e-3"]
    )
    assert config == {"train": {"num_iters": 3, "names": (1, "a"), "flag": True, "lr": 0.001}}


def test_an_override_that_is_no_literal_stays_a_string_with_a_warning():
    config = AttrDict(data={"path": ""})
    with pytest.warns(UserWarning, match=r"data\.path.*kept as a string"):
        config.update_from_list(["data.path", "some/file name.mat"])
    assert config.data.path == "some/file name.mat"


@pytest.mark.parametrize(
    "pairs, sentence", [(["a.b"], "pairs"), (["a.b.c", "1"], "no section 'b'"), (["x.y", "1"], "no section 'x'")]
)
def test_overrides_that_lead_nowhere_are_errors(pairs, sentence):
    with pytest.raises(ConfigError, match=sentence):
        AttrDict(a={"b": 1}).update_from_list(pairs)


def test_reading_marks_leaves():
    config = AttrDict(a=1, b=2, c=3, d=4, e={"f": 5, "g": 6, "empty": {}})
    assert config.unread() == ["a", "b", "c", "d", "e.f", "e.g"]
    _ = config.a, config["b"], config.get("c"), config.get("nothing", 0), "d" in config, len(config), config.e
    assert config.unread() == ["d", "e.f", "e.g"]
    config.e.pop("f")
    assert config.unread() == ["d", "e.g"]


@pytest.mark.parametrize("use", [lambda c: take_all(**c), list, dict, lambda c: {}.update(c), lambda c: c.items()])
def test_iterating_marks_all_leaves_of_that_level_alone(use):
    config = AttrDict(a=1, b={"c": 2})
    use(config)
    assert config.unread() == ["b.c"]


def test_reading_a_merged_copy_marks_the_original_but_copying_does_not():
    config = AttrDict(a=1, b={"c": 2, "d": 3})
    merged = AttrDict(a=0, b={"c": 0, "other": 0})
    merged.update(config)
    merged_again = merge_dict(merged, {"new": 1})
    twin = copy.deepcopy(merged_again)
    assert config.unread() == ["a", "b.c", "b.d"]
    assert (merged.b.c, twin.a) == (2, 1)
    assert config.unread() == ["b.d"]
    merged_again.b["d"] = 7  # a new value is not the original's
    assert merged_again.b.d == 7 and config.unread() == ["b.d"]


def test_logging_a_config_does_not_read_it():
    config = AttrDict(a={"b": 1})
    assert (json.dumps(config.to_dict()), repr(config)) == ('{"a": {"b": 1}}', "{'a': {'b': 1}}")
    assert config.unread() == ["a.b"]


def test_check_unread():
    config = AttrDict(train={"num_iter": 3}, test={"draw": 1})
    with pytest.raises(UnreadConfigError, match=r"keys, probably misspelt: train\.num_iter, test\.draw\.$"):
        config.check_unread(strict=True)
    with pytest.warns(UserWarning, match=r"misspelt: train\.num_iter\.$"):
        config.check_unread(strict=False, ignore=("test",))
    _ = config.train.num_iter, config.test.draw
    config.check_unread(strict=True)


def test_merge_dict_refuses_common_keys():
    assert merge_dict({"a": 1}, {"b": 2}) == {"a": 1, "b": 2}
    first = AttrDict(a=1)
    with pytest.raises(ConfigError, match="same keys: a"):
        merge_dict(first, {"a": 2})
    assert first.unread() == ["a"]


def test_import_config(tmp_path, monkeypatch):
    package = tmp_path / "some_configs"
    package.mkdir()
    (package / "good.py").write_text("config = dict(a=1)")
    (package / "empty.py").write_text("")
    (package / "broken.py").write_text("import a_module_that_does_not_exist")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert import_config("good", prefix="some_configs") == {"a": 1}
    with pytest.raises(ConfigError, match=r"no module 'some_configs\.absent'"):
        import_config("absent", prefix="some_configs")
    with pytest.raises(ConfigError, match="defines no dict called 'config'"):
        import_config("empty", prefix="some_configs")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_does_not_exist"):
        import_config("broken", prefix="some_configs")
