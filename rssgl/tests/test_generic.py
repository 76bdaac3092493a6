"""The generic configuration, for own scenes of any size."""

import pytest
import torch

from contracts.own_scene import SIZES, Resolved, equal_counts
from rssgl import config
from rssgl.method import METHOD
from rssgl.network import RSSGL
from shared_data.errors import SplitError

pytestmark = pytest.mark.stack_independent


def resolved(monkeypatch, bands, counts, **options):
    return Resolved(monkeypatch, config, METHOD.resolve, bands, counts, **options)


@pytest.mark.parametrize("bands, classes", SIZES)
def test_the_network_classifies_a_scene_of_any_bands_and_classes(monkeypatch, bands, classes):
    found = resolved(monkeypatch, bands, equal_counts(classes))
    network = RSSGL(found.settings["model"]["params"]).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, bands, 16, 16)).shape == (1, classes, 16, 16)


def test_small_scenes_are_as_indian_pines_and_large_ones_as_salinas(monkeypatch):
    """But for the weight of the regulariser, which differs in each of the release's scenes."""
    for name, counts, sides in (
        ("indianpines", equal_counts(9), (40, 30)),
        ("salinas", equal_counts(9, 20700), (150, 140)),
    ):
        found = resolved(monkeypatch, 20, counts, sides=sides).configuration.packaged
        expected = config.load_settings(config.CONFIGS, name)
        for sizes in ("in_channels", "num_classes"):
            found["model"]["params"].pop(sizes)
        assert dict(found, scene=name, loss=expected["loss"]) == expected


def test_a_tiny_class_trains_validates_and_is_tested_or_is_named(monkeypatch):
    found = resolved(monkeypatch, 20, [200, 3])
    assert found.settings["split"]["minimum"] == 2
    split, truth = METHOD.draw(found.loaded, found.configuration, 1).split, found.loaded.ground_truth.ravel()
    assert [list(truth[part]).count(2) for part in split] == [1, 1, 1]
    found = resolved(monkeypatch, 20, [200, 2])
    with pytest.raises(SplitError, match=r"class 2 \(class 2\) has 2 labelled pixels.*labels.unlabelled"):
        METHOD.draw(found.loaded, found.configuration, 1)
