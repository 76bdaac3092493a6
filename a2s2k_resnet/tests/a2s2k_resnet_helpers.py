"""What the A2S2K-ResNet tests share beside fixtures."""

import os
from pathlib import Path
from typing import Any, Dict, NamedTuple

import numpy as np
import torch

from a2s2k_resnet.method import METHOD
from a2s2k_resnet.preprocessing import preprocess
from contracts import golden
from shared_data.runs.method import Run
from shared_data.runs.pixels import draw_pixels, resolve
from shared_data.runs.request import Configuration
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import LoadedScene
from shared_data.scenes.mat import read_mat
from shared_data.splits.draws import Split
from shared_data.splits.labels import Labels

GOLDEN = Path(__file__).parent / "golden"


# a scene of seven components and few training pixels: the life of a run does not depend on them
LEAN = ("preprocessing.components=7", "split.held_out=0.99")


class Given(NamedTuple):
    """What a training is given."""

    configuration: Configuration
    loaded: LoadedScene
    split: Split
    labels: Labels
    seed: int

    def fit(self, folder, steps=None):
        """Train in a folder; None where a signal stopped it."""
        return METHOD.fit(self.loaded.image, self.labels, self.configuration, self.seed, Run(folder, "cpu"), steps)

    def model(self):
        """The model without weights, as training fits it."""
        return preprocess(self.loaded.image, self.labels, self.configuration, self.seed)


def given(request, scene=None):
    """What a request's training is given; `scene` in place of the request's own."""
    configuration, loaded = resolve(METHOD, request)
    loaded = loaded if scene is None else scene
    draw = draw_pixels(METHOD, loaded, configuration, request.seed)
    return Given(configuration, loaded, draw.split, METHOD.labels(draw, loaded.ground_truth), request.seed)


def read_golden(name: str) -> Dict[str, Any]:
    return golden.read_golden(GOLDEN, name)


def read_outputs(name: str) -> Dict[str, np.ndarray]:
    """`logits` in evaluation mode and `train_logits_dropout0` of a network."""
    with np.load(str(GOLDEN / (name + ".npz"))) as stored:
        return dict(stored)


def fill_by_rule(network: torch.nn.Module) -> torch.nn.Module:
    """The golden values of every tensor; BatchNorm's counters stay as they are."""
    state = {
        key: tensor
        if key.endswith("num_batches_tracked")
        else torch.from_numpy(golden.values_by_rule(key, tuple(tensor.shape)))
        for key, tensor in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network


def golden_patches(content: Dict[str, Any]):
    """(4, P, P, B) patches and their 4 labels, counted from 0."""
    side, bands = content["patch"], content["bands"]
    patches = np.random.RandomState(0).standard_normal((4, side, side, bands)).astype(np.float32)
    return torch.from_numpy(patches), torch.from_numpy(np.random.RandomState(1).randint(0, 16, 4))


def without_dropout(network: torch.nn.Module) -> torch.nn.Module:
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return network


def official_ground_truth(slug: str) -> np.ndarray:
    """The official label map, or skip where HSI_DATA does not hold it."""
    folder = os.environ.get("HSI_DATA")
    file = get_scene(slug).ground_truth
    if not folder or not os.path.exists(os.path.join(folder, file.name)):
        import pytest  # the helpers that need no pytest also serve `make gpu-check`

        pytest.skip("needs %s in HSI_DATA" % file.name)
    return read_mat(os.path.join(folder, file.name), file.key)
