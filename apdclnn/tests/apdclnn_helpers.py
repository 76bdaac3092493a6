"""What the APDCLNN tests share beside fixtures."""

from typing import NamedTuple

from apdclnn.method import METHOD
from apdclnn.predict import network_of
from apdclnn.preprocessing import fitted_and_features
from shared_data.runs.method import Run
from shared_data.runs.pixels import draw_pixels, resolve
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import Split
from shared_data.splits.labels import Labels

# one small layer, one Gabor frequency: the life of a run does not depend on them
LEAN = (
    "network.widths=[2]", "patch.side=3", "preprocessing.components=3", "gabor.components=3", "gabor.frequencies=[0.5]",
)  # fmt: skip


class Given(NamedTuple):
    """What a training is given."""

    configuration: Configuration
    loaded: LoadedScene
    split: Split
    labels: Labels
    seed: int

    def fit(self, folder, steps=None):
        """Train in a folder, shared files beside it; None where a signal stopped it."""
        run = Run(folder, "cpu", folder.parent / "shared")
        return METHOD.fit(self.loaded.image, self.labels, self.configuration, self.seed, run, steps)

    def network(self):
        """The network with fresh weights."""
        _, features = fitted_and_features(self.loaded.image, self.labels, self.configuration)
        return network_of(features, self.configuration.settings, self.loaded.scene.num_classes, "/cpu:0", self.seed)


def given(request, scene=None):
    """What a request's training is given; `scene` in place of the request's own."""
    configuration, loaded = resolve(METHOD, request)
    loaded = loaded if scene is None else scene
    draw = draw_pixels(METHOD, loaded, configuration, request.seed)
    return Given(configuration, loaded, draw.split, METHOD.labels(draw, loaded.ground_truth), request.seed)
