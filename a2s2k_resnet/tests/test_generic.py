"""The generic configuration, for own scenes of any size."""

import pytest
import torch

from a2s2k_resnet import experiments, method
from a2s2k_resnet.method import METHOD
from contracts.own_scene import NAME, SIZES, Resolved, equal_counts
from shared_data.errors import SplitError

pytestmark = pytest.mark.stack_independent


def resolved(monkeypatch, bands, counts, **options):
    return Resolved(monkeypatch, method, METHOD.resolve, bands, counts, **options)


@pytest.mark.parametrize("bands, classes", SIZES)
def test_the_network_classifies_patches_of_any_bands_and_classes(monkeypatch, bands, classes):
    found = resolved(monkeypatch, bands, equal_counts(classes))
    network = experiments.network_of(found.settings, "paper", bands, classes).eval()
    components, side = experiments.components_of(found.settings, bands), found.settings["patch"]["side"]
    assert components == bands
    with torch.no_grad():
        assert network(torch.zeros(2, side, side, components)).shape == (2, classes)


@pytest.mark.parametrize("bands, large, components", [(200, True, 0), (204, True, 15), (204, False, 0)])
def test_components_are_fewer_in_large_scenes_of_many_bands(monkeypatch, bands, large, components):
    found = resolved(monkeypatch, bands, equal_counts(9, 20700 if large else 900), sides=(150, 140))
    assert found.settings["preprocessing"]["components"] == components


def test_every_baseline_of_the_release_has_the_own_scene(monkeypatch):
    found = resolved(monkeypatch, 20, equal_counts(3, 90), sides=(40, 6))
    assert {NAME, NAME + "-ssrn", NAME + "-pyresnet"} <= set(experiments.names())
    assert experiments.base_and_model(NAME + "-ssrn") == (NAME, "ssrn") and experiments.scene_of(NAME + "-ssrn") == NAME
    for model, side in (("resnet", 5), ("contextualnet", 9), ("ssrn", 7)):
        configuration, _ = METHOD.resolve(found.request._replace(experiment="%s-%s" % (NAME, model)))
        assert configuration.settings["patch"]["side"] == side and configuration.settings["model"]["name"] == model
        assert configuration.packaged == configuration.settings


def test_a_class_that_is_too_small_is_named(monkeypatch):
    found = resolved(monkeypatch, 20, [200, 4])
    split, truth = METHOD.draw(found.loaded, found.configuration, 1).split, found.loaded.ground_truth.ravel()
    assert list(truth[split.train]).count(2) == 3
    found = resolved(monkeypatch, 20, [200, 3])
    with pytest.raises(SplitError, match=r"class 2 \(class 2\) has 3 labelled pixels.*labels.unlabelled"):
        METHOD.draw(found.loaded, found.configuration, 1)
