"""What the DA-IMRN tests share beside fixtures."""

from typing import NamedTuple

from da_imrn.labels import WindowLabels
from da_imrn.method import METHOD
from shared_data.runs.method import Draw, Run
from shared_data.runs.pixels import draw_pixels, resolve
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import LoadedScene

# a network of one stage and few training windows: the life of a run does not depend on them. They hold 152 patches, so
# that all mini-batches have the same size: TensorFlow traces the training step anew for another one
LEAN = (
    "train.batch=38",
    "network.strides=[16]", "network.band_kernels=[1]",
    "partition.released.train=0.02", "partition.released.val=0.01", "partition.fitted.train=0.02",
    "partition.fitted.val=0.01", "partition.accepted=[1,1000]",
)  # fmt: skip


class Given(NamedTuple):
    """What a training is given."""

    configuration: Configuration
    loaded: LoadedScene
    draw: Draw
    labels: WindowLabels
    seed: int

    def fit(self, folder, steps=None):
        """Train in a folder; None where a signal stopped it."""
        return METHOD.fit(self.loaded.image, self.labels, self.configuration, self.seed, Run(folder, "cpu"), steps)


def given(request, scene=None):
    """What a request's training is given; `scene` in place of the request's own."""
    configuration, loaded = resolve(METHOD, request)
    loaded = loaded if scene is None else scene
    draw = draw_pixels(METHOD, loaded, configuration, request.seed)
    return Given(configuration, loaded, draw, METHOD.labels(draw, loaded.ground_truth), request.seed)
