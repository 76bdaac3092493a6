"""A trained network and its components: every pixel's class, the saved file, and what the paper reports."""

from pathlib import Path
from typing import Callable, Dict, Optional

import numpy as np
import torch
from sklearn.metrics import precision_score
from torch import nn

from a2s2k_resnet import checkpoint, experiments
from a2s2k_resnet.decisions import PROTOCOLS, decide
from a2s2k_resnet.device import select_device
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import predict_scene, scene_probabilities
from a2s2k_resnet.preprocessing import whitening_of
from shared_data.configuration.schema import check_config
from shared_data.errors import CheckpointError, settings_of
from shared_data.runs.method import Fitted, Further, Report
from shared_data.runs.model_file import ModelFile, check_paper, check_protocol
from shared_data.runs.probabilities import space_for
from shared_data.scenes.loading import SceneImage
from shared_data.splits.labels import Truth


class FittedNetwork(Fitted):
    """One of the five networks with its weights, on its device.

    Raises: ValueError where the components in `model` are missing or do not fit.
    """

    SUFFIX = checkpoint.FORMAT.suffix

    def __init__(self, network: nn.Module, model: ModelFile, report: Optional[Report] = None) -> None:
        self.network, self.model, self.report = network, model, report
        self._whitening = whitening_of(model)
        self._device = next(network.parameters()).device

    def predict(self, image: SceneImage, tile: int = 0) -> np.ndarray:
        """(H, W) uint8 classes 1..K of every pixel; patches are gathered in batches; `tile` is ignored.

        Raises: SettingsError for a scene smaller than a patch.
        """
        return predict_scene(self.network, self._gatherer(image), progress=self.progress)

    def predict_probabilities(self, image: SceneImage, tile: int = 0, out: Optional[np.ndarray] = None) -> np.ndarray:
        """(H, W, K) float16 softmax values; else as `predict`."""
        out = space_for(image.shape, self.model.num_classes, out)
        scene_probabilities(self.network, self._gatherer(image), out, progress=self.progress)
        return out

    def _gatherer(self, image: SceneImage) -> PatchGatherer:
        with settings_of(image.scene.slug):
            components = self._whitening.apply(image.cube)
            return PatchGatherer(components, self.model.config["patch"]["side"], self._device)

    def save(self, path: Path) -> None:
        checkpoint.write_model(path, checkpoint.copy_of(self.network), self.model)

    def weights(self) -> Dict[str, np.ndarray]:
        return checkpoint.as_arrays(self.network)

    def report_further(self, _image: SceneImage, truth: Truth, prediction: np.ndarray) -> Further:
        """The release's AA on the test pixels, `aa_released`, where the protocol reports it.

        It is the mean precision; a class never predicted counts as 0.
        """
        if decide(self.model.protocol).aa_beside_recall != "precision":
            return Further()
        found, classes = prediction.ravel()[truth.test], np.arange(1, self.model.num_classes + 1)
        expected = truth.labels.ravel()[truth.test]
        precision = precision_score(expected, found, labels=classes, average="macro", zero_division=0)
        return Further(metrics={"aa_released": float(precision)})


def load(path: Path, device: str = "auto", bare: Optional[Callable[[], ModelFile]] = None) -> FittedNetwork:
    """What `FittedNetwork.save` has written.

    bare: gives the model of a file that holds weights alone, such as the release's.
    Raises: CheckpointError where the file cannot be read or does not fit; SettingsError; DeviceError; what `bare`
    raises.
    """
    state, model = checkpoint.read_model(path)
    chosen = select_device(device)
    if model is not None:
        check_paper(model, experiments.PAPER, path)
        check_protocol(model, PROTOCOLS, path)
        check_config(model.config, experiments.SCHEMA, str(path))
        what = "its own description"
    elif bare is not None:
        model = bare()
        what = "%s under --protocol %s" % (model.experiment, model.protocol)
    else:
        raise CheckpointError(
            "%s holds weights alone, without configuration and components; give a file that a run has written, or the "
            "model that these weights belong to." % path
        )
    if chosen.type == "cuda":
        torch.backends.cudnn.benchmark = True
    with settings_of(str(path)):
        network = experiments.network_of(model.config, model.protocol, model.bands, model.num_classes)
        fitted = FittedNetwork(network.to(chosen), model)
    checkpoint.load_weights(network, state, path, "the network of " + what)
    return fitted
