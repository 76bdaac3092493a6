"""The configuration for own scenes: which experiments have it, and what of the scene and of the user goes into it."""

import numpy as np
import pytest

from shared_data.errors import SettingsError, UnknownNameError
from shared_data.runs import generic
from shared_data.runs.generic import Derived
from shared_data.runs.request import Configuration
from shared_data.scenes import catalogue
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import LoadedScene
from shared_data.scenes.own import Description

pytestmark = pytest.mark.stack_independent

CONFIGURATION = 'scene = "generic"\n[net]\nwidth = 4\ndepth = 2\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Configurations generic and pavia; the own scene my-plot of 60 labelled pixels, of them 9, 0 and 51 per class."""
    (tmp_path / "generic.toml").write_text(CONFIGURATION)
    (tmp_path / "pavia.toml").write_text(CONFIGURATION.replace("generic", "pavia"))
    own = Description(tmp_path / "my-plot.toml", tmp_path / "cube.npy", None, (), (), (), ())
    scene = get_scene("synthetic")._replace(slug="my-plot", class_names=("a", "b", "c"), class_counts=None, own=own)
    monkeypatch.setattr(catalogue, "_ADDED", {"my-plot": scene})
    return tmp_path


def loaded(labels):
    truth = np.array(labels, np.uint8).reshape(1, -1)
    return LoadedScene(get_scene("my-plot"), np.zeros((1, truth.size, 64)), truth, (), True)


LABELS = [1] * 9 + [3] * 51 + [0] * 4


def derive(settings, scene):
    yield Derived("net.width", scene.labelled_pixels, "labelled")
    yield Derived("net.depth", settings["net"]["width"] + 1, "of the width")


def completed(folder, *overrides):
    settings, packaged = (generic.load_settings(folder, "my-plot", changes) for changes in (overrides, ()))
    entered = generic.complete(folder, "my-plot", overrides, settings, packaged, loaded(LABELS), derive)
    return settings["net"], packaged["net"], [each.key for each in entered]


def test_own_scenes_are_configurations_and_generic_itself_is_none(folder):
    assert generic.configuration_names(folder) == ["pavia", "my-plot"]
    assert generic.load_settings(folder, "my-plot", ["net.width=9"]) == {
        "scene": "my-plot", "net": {"width": 9, "depth": 2},
    }  # fmt: skip
    assert generic.load_settings(folder, "pavia")["scene"] == "pavia"
    assert [generic.file_of(folder, name) for name in ("my-plot", "pavia")] == ["generic.toml", "pavia.toml"]
    with pytest.raises(SettingsError, match="--scene path/to/<name>"):
        generic.check_configuration("generic", generic.configuration_names(folder))
    with pytest.raises(UnknownNameError, match="there are: pavia, my-plot"):
        generic.check_configuration("mars", generic.configuration_names(folder))


def test_a_scene_may_have_a_configuration_of_its_own_but_not_that_of_another(folder):
    (folder / "my-plot.toml").write_text(CONFIGURATION.replace("generic", "my-plot").replace("4", "7"))
    assert generic.load_settings(folder, "my-plot")["net"]["width"] == 7
    assert generic.configuration_names(folder) == ["my-plot", "pavia"] and not generic.is_generic(folder, "my-plot")
    (folder / "my-plot.toml").write_text(CONFIGURATION.replace("generic", "pavia"))
    with pytest.raises(SettingsError, match="'my-plot' is the name of a configuration of another scene, pavia"):
        generic.load_settings(folder, "my-plot")


def test_the_scene_is_the_described_one(folder):
    with pytest.raises(SettingsError, match="--scene describes the scene, my-plot"):
        generic.load_settings(folder, "my-plot", ["scene=pavia"])


def test_derived_values_are_entered_in_order_unless_the_user_sets_them(folder):
    derived = {"width": 60, "depth": 61}
    assert completed(folder) == (derived, derived, ["net.width", "net.depth"])
    assert completed(folder, "net.width = 3") == ({"width": 3, "depth": 4}, derived, ["net.depth"])
    assert completed(folder, "net.depth=1") == ({"width": 60, "depth": 1}, derived, ["net.width"])


def test_configurations_of_other_scenes_stay_as_they_are(folder):
    settings = generic.load_settings(folder, "pavia")
    assert generic.complete(folder, "pavia", (), settings, settings, loaded(LABELS), derive) == ()
    assert settings["net"] == {"width": 4, "depth": 2}


def test_what_is_said(capsys):
    derived = (Derived("net.width", [1, 2], "64 bands"), Derived("split.ratio", 0.05, "60 labelled pixels"))
    configuration = Configuration("my-plot", "paper", "my-plot", {}, {}, None, {})
    generic.announce(configuration)
    generic.announce(configuration._replace(derived=derived))
    assert capsys.readouterr().out == (
        "generic configuration for my-plot: net.width = [1, 2] (64 bands), split.ratio = 0.05 (60 labelled pixels)\n"
    )


@pytest.mark.parametrize("counts, usual, fewest, expected", [
    ([9, 0, 51], 5, 1, 4), ([10, 51], 5, 1, 5), ([1, 51], 5, 1, 1), ([3, 51], 5, 2, 2), ([], 5, 2, 5),
])  # fmt: skip
def test_half_of_a_tiny_class_trains(counts, usual, fewest, expected):
    scene = get_scene("synthetic")._replace(class_counts=tuple(counts))
    assert generic.least_training_pixels(scene, usual, fewest).value == expected


def test_shares_and_sides_follow_the_scene(folder):
    scene = generic.counted(loaded(LABELS))
    assert (scene.class_counts, scene.labelled_pixels) == ((9, 0, 51), 60)
    assert generic.training_share(scene).value == 0.05
    assert generic.training_share(scene._replace(labelled_pixels=20001)).value == 0.01
    sides = [generic.largest_odd_side(scene._replace(height=side, width=40), 27) for side in (1, 2, 26, 27, 40)]
    assert sides == [1, 1, 25, 27, 27]
