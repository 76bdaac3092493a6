"""The generic configuration, for own scenes of any size."""

import pytest

from contracts.full_scene_generic import Generic
from contracts.own_scene import equal_counts
from shared_data.errors import SettingsError, SplitError
from ssdgl import config
from ssdgl.method import METHOD
from ssdgl.network import SSDGL

NARROW = "model.params.block_channels=[16, 48, 64, 96]"
SMALL = ("model.params.block_channels=[32, 48, 64, 96]", "model.params.inner_dim=48", "model.params.attention_ratio=8")

pytestmark = pytest.mark.stack_independent


class TestGeneric(Generic):
    """Sizes of the network, and values like those of the release's scenes."""

    config, network = config, SSDGL

    def test_values_of_the_user_are_kept_and_checked_with_the_derived_ones(self, resolved):
        found = resolved(20, equal_counts(3), overrides=("split.ratio=0.2", *SMALL))
        assert found.settings["split"]["ratio"] == 0.2 and found.configuration.packaged["split"]["ratio"] == 0.05
        assert [each.key for each in found.configuration.derived] == ["split.minimum", "learning_rate.params.base_lr"]
        with pytest.raises(SettingsError, match=r"generic\.toml: model\.params\.attention_ratio: expected at most 8"):
            resolved(20, equal_counts(3), overrides=(NARROW, "model.params.attention_ratio=9"))

    def test_a_tiny_class_trains_and_is_tested_or_is_named(self, resolved):
        found = resolved(20, [200, 2])
        assert found.settings["split"]["minimum"] == 1
        split, truth = METHOD.draw(found.loaded, found.configuration, 1).split, found.loaded.ground_truth.ravel()
        assert [list(truth[part]).count(2) for part in split] == [1, 0, 1]
        found = resolved(20, [200, 1])
        with pytest.raises(
            SplitError, match=r"class 2 \(class 2\) has 1 labelled pixels.*to test\. Let the class.*labels.unlabelled"
        ):
            METHOD.draw(found.loaded, found.configuration, 1)

    def test_weights_alone_need_the_classes_of_a_scene(self, resolved):
        with pytest.raises(SettingsError, match="meadow-7: the scene has no classes"):
            resolved(20, [])
