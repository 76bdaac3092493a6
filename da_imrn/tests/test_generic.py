"""The generic configuration, for own scenes of any size."""

import pytest

from contracts.own_scene import SIZES, Resolved, equal_counts
from da_imrn import experiments, method
from da_imrn.band_structure import band_kernels_for, remaining, strides_for
from da_imrn.keras_stack import keras
from da_imrn.method import METHOD
from da_imrn.network import POOLED
from shared_data.errors import SettingsError

pytestmark = pytest.mark.stack_independent


@pytest.fixture(autouse=True)
def fresh_graph():
    yield
    keras.backend.clear_session()


def resolved(monkeypatch, bands, counts, **options):
    return Resolved(monkeypatch, method, METHOD.resolve, bands, counts, **options)


@pytest.mark.parametrize("bands, classes", SIZES)
def test_the_network_takes_any_bands_and_classes(monkeypatch, bands, classes):
    found = resolved(monkeypatch, bands, equal_counts(classes))
    structure = experiments.structure(found.settings, "paper")
    assert remaining(bands, structure.strides, structure.band_kernels) == POOLED


@pytest.mark.slow
@pytest.mark.parametrize("bands, classes", [SIZES[0], SIZES[-1]])
def test_the_network_can_be_built(monkeypatch, bands, classes):
    found = resolved(monkeypatch, bands, equal_counts(classes))
    network = experiments.network_of(found.settings, "paper", bands, classes)
    assert network.output_shape == (None, 4, 4, 1, classes)


@pytest.mark.parametrize("name, bands", [("indianpines", 200), ("pavia", 103), ("salinas", 204)])
def test_the_papers_bands_give_the_papers_strides_and_kernels(name, bands):
    network = experiments.load(name)["network"]
    assert strides_for(bands) == network["strides"]
    assert band_kernels_for(bands, network["strides"]) == network["band_kernels"]


def test_any_number_of_bands_is_reduced_to_three():
    for bands in range(3, 1000):
        strides = strides_for(bands)
        kernels = band_kernels_for(bands, strides)
        assert len(strides) == len(kernels) == 6 and max(kernels) <= 4
        assert remaining(bands, strides, kernels) == POOLED


def test_kernels_follow_the_strides_of_the_user(monkeypatch):
    found = resolved(monkeypatch, 24, equal_counts(3), overrides=("network.strides=[2, 2]",))
    network = found.settings["network"]
    assert network["strides"] == [2, 2] and remaining(24, [2, 2], network["band_kernels"]) == POOLED
    assert band_kernels_for(200, [1, 1, 1]) == [1, 1, 1]  # the network says what is wrong


@pytest.mark.parametrize("sides, window, patch", [((40, 30), 6, 4), ((40, 5), 5, 4), ((3, 40), 3, 2)])
def test_windows_and_patches_are_no_larger_than_the_scene(monkeypatch, sides, window, patch):
    partition = resolved(monkeypatch, 20, [sides[0] * sides[1] // 2 - 1] * 2, sides=sides).settings["partition"]
    assert (partition["window"], partition["patch"]) == (window, patch)


@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_the_first_draw_of_a_partition_trains_and_validates(monkeypatch, protocol):
    found = resolved(monkeypatch, 20, equal_counts(3), protocol=protocol)
    draw = METHOD.draw(found.loaded, found.configuration, 1)
    assert draw.plan.draws == 1 and draw.plan.accepted
    truth = found.loaded.ground_truth.ravel()
    assert all(set(truth[part]) == {1, 2, 3} for part in draw.split)


def test_a_scene_of_one_row_is_refused(monkeypatch):
    with pytest.raises(SettingsError, match="at least 2 × 2 pixels, and the scene has 1 × 90; choose another paper"):
        resolved(monkeypatch, 64, equal_counts(2, 60), sides=(1, 90))


def test_a_scene_of_two_bands_is_refused(monkeypatch):
    assert resolved(monkeypatch, 3, equal_counts(2)).settings["network"]["strides"] == [1] * 6
    with pytest.raises(SettingsError, match="at least 3 bands, and the scene has 2; choose another paper"):
        resolved(monkeypatch, 2, equal_counts(2))


def test_large_scenes_are_partitioned_as_salinas(monkeypatch):
    found = resolved(monkeypatch, 204, equal_counts(9, 20700), sides=(150, 140)).settings
    expected = experiments.load("salinas")
    assert found["network"] == expected["network"]
    assert {key: found["partition"][key] for key in ("window", "patch", "per_window", "fitted")} == {
        key: expected["partition"][key] for key in ("window", "patch", "per_window", "fitted")
    }
