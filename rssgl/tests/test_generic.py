"""The generic configuration, for own scenes of any size."""

import pytest

from contracts.full_scene_generic import LARGE, Generic
from contracts.own_scene import equal_counts
from rssgl import config
from rssgl.method import METHOD
from rssgl.network import RSSGL
from shared_data.errors import SettingsError, SplitError

pytestmark = pytest.mark.stack_independent


class TestGeneric(Generic):
    """Sizes of the network, and values like those of the release's scenes, but for the weight of the regulariser."""

    config, network, apart = config, RSSGL, ("loss",)

    def test_the_derived_length_is_compared_with_the_learning_rate_of_the_user(self, resolved):
        shorter, (_, many, sides) = ("learning_rate.params.max_iters=800",), LARGE
        assert resolved(20, many, sides=sides, overrides=shorter).settings["train"]["num_iters"] == 600
        with pytest.raises(SettingsError, match=r"generic\.toml: train\.num_iters: expected at most 800.*found 1000"):
            resolved(20, equal_counts(3), overrides=shorter)
        overrides = (*shorter, "train.num_iters=800")
        assert resolved(20, equal_counts(3), overrides=overrides).settings["train"]["num_iters"] == 800

    def test_a_tiny_class_trains_validates_and_is_tested_or_is_named(self, resolved):
        found = resolved(20, [200, 3])
        assert found.settings["split"]["minimum"] == 2
        split, truth = METHOD.draw(found.loaded, found.configuration, 1).split, found.loaded.ground_truth.ravel()
        assert [list(truth[part]).count(2) for part in split] == [1, 1, 1]
        found = resolved(20, [200, 2])
        with pytest.raises(
            SplitError, match=r"class 2 \(class 2\) has 2 labelled pixels.*to test\. Let the class.*labels.unlabelled"
        ):
            METHOD.draw(found.loaded, found.configuration, 1)
