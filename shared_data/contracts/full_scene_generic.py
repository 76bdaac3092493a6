"""The generic configuration of a network that takes the whole scene, for own scenes of any size.

Needs the fixture `method`.
"""

from functools import partial
from typing import Any, Tuple

import pytest
import torch

from contracts.own_scene import SIZES, Resolved, equal_counts

SMALL, LARGE = ("indianpines", equal_counts(9), (40, 30)), ("salinas", equal_counts(9, 20700), (150, 140))


@pytest.mark.stack_independent
class Generic:
    """config: the paper's module. network: its class. apart: sections of a configuration that are each scene's own."""

    config: Any
    network: Any
    apart: Tuple[str, ...] = ()

    @pytest.fixture
    def resolved(self, monkeypatch, method):
        return partial(Resolved, monkeypatch, self.config, method.resolve)

    @pytest.mark.parametrize("bands, classes", SIZES)
    def test_the_network_classifies_a_scene_of_any_bands_and_classes(self, resolved, bands, classes):
        found = resolved(bands, equal_counts(classes))
        network = self.network(found.settings["model"]["params"]).eval()
        with torch.no_grad():
            assert network(torch.zeros(1, bands, 16, 16)).shape == (1, classes, 16, 16)

    @pytest.mark.parametrize("name, counts, sides", [SMALL, LARGE])
    def test_small_scenes_are_as_indian_pines_and_large_ones_as_salinas(self, resolved, name, counts, sides):
        found = resolved(20, counts, sides=sides).configuration.packaged
        expected = self.config.load_settings(self.config.CONFIGS, name)
        for sizes in ("in_channels", "num_classes"):
            found["model"]["params"].pop(sizes)
        assert dict(found, scene=name, **{section: expected[section] for section in self.apart}) == expected
