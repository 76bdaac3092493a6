"""The generic configuration, for own scenes of any size."""

import pytest

from contracts.full_scene_generic import Generic
from rssgl import config
from rssgl.method import METHOD
from rssgl.network import RSSGL
from shared_data.errors import SplitError

pytestmark = pytest.mark.stack_independent


class TestGeneric(Generic):
    """Sizes of the network, and values like those of the release's scenes, but for the weight of the regulariser."""

    config, network, apart = config, RSSGL, ("loss",)

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
