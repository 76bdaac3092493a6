"""The trained method: scene → fitted preprocessing → network → class of every pixel; saving and loading."""

from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from apdclnn import experiments
from apdclnn.decisions import PROTOCOLS
from apdclnn.device import select_device
from apdclnn.model import Model
from apdclnn.prediction import predict_scene, scene_probabilities
from apdclnn.preprocessing import Features, Preprocessing, preprocessing_of
from shared_data.configuration.schema import check_config
from shared_data.errors import CheckpointError, settings_of
from shared_data.runs import npz_checkpoint
from shared_data.runs.method import Fitted, Report
from shared_data.runs.model_file import (
    ModelFile,
    as_content,
    check_paper,
    check_protocol,
    from_content,
    unwrapped,
)
from shared_data.runs.probabilities import space_for
from shared_data.scenes.loading import SceneImage


class FittedNetwork(Fitted):
    """A trained network with its preprocessing.

    fitted: the fitted preprocessing, as in the model. weights: of `Model.weights`. device: as TensorFlow names it.
    trained_on: the training scene, with the network that holds its features and the weights in use; for any other scene
    features are computed and a network is built.
    """

    SUFFIX = ".npz"

    def __init__(
        self,
        model: ModelFile,
        fitted: Preprocessing,
        weights: Dict[str, np.ndarray],
        device: str,
        report: Optional[Report] = None,
        trained_on: Optional[Tuple[SceneImage, Model]] = None,
    ) -> None:
        self.model, self.report = model, report
        self._preprocessing, self._weights = fitted, weights
        self._device, self._trained_on = device, trained_on

    def predict(self, image: SceneImage, tile: int = 0) -> np.ndarray:
        """(H, W) uint8 classes 1..K of every pixel; patches are gathered in batches; `tile` is ignored.

        Raises: SettingsError for a scene with NaN or infinity.
        """
        return predict_scene(self._network_on(image), *image.shape, self.progress)

    def predict_probabilities(self, image: SceneImage, tile: int = 0, out: Optional[np.ndarray] = None) -> np.ndarray:
        """(H, W, K) float16 softmax values; else as `predict`."""
        out = space_for(image.shape, self.model.num_classes, out)
        scene_probabilities(self._network_on(image), out, progress=self.progress)
        return out

    def _network_on(self, image: SceneImage) -> Model:
        if self._trained_on is not None and self._trained_on[0].cube is image.cube:
            return self._trained_on[1]
        with settings_of(image.scene.slug):
            features = self._preprocessing.apply(image.cube, self.model.config)
            network = network_of(features, self.model.config, self.model.num_classes, self._device)
        network.set_numbers(self._weights)
        return network

    def save(self, path: Path) -> None:
        npz_checkpoint.write(path, dict(as_content(self.model), weights=self._weights))

    def weights(self) -> Dict[str, np.ndarray]:
        return dict(self._weights)


def load(path: Path, device: str = "auto", bare: Optional[Callable[[], ModelFile]] = None) -> FittedNetwork:
    """What `FittedNetwork.save` wrote.

    bare: gives the model of a file that holds weights alone, as older versions kept them.
    Raises: CheckpointError where the file cannot be read or does not fit; SettingsError; DeviceError; what `bare`
    raises.
    """
    content = npz_checkpoint.read(path)
    model = from_content(content, path)
    chosen = select_device(device)
    if model is not None:
        check_paper(model, experiments.PAPER, path)
        check_protocol(model, PROTOCOLS, path)
        check_config(model.config, experiments.SCHEMA, str(path))
        source, what = str(path), "its own description"
    elif bare is not None:
        model = bare()
        source, what = model.experiment, "%s under --protocol %s" % (model.experiment, model.protocol)
    else:
        raise CheckpointError(
            "%s holds weights alone, without configuration and preprocessing; give a file that a run has written, or "
            "the model that these weights belong to." % path
        )
    with settings_of(source):
        # the shapes of the weights do not depend on the scene: one pixel suffices to compare them
        fitted = preprocessing_of(model)
        network = network_of(_one_pixel(model.config), model.config, model.num_classes, chosen)
    try:
        network.set_numbers(unwrapped(content.get("weights", content)))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError("%s does not fit the network of %s: %s." % (path, what, error)) from error
    return FittedNetwork(model, fitted, network.weights(), chosen)


def network_of(features: Features, settings: Dict[str, Any], num_classes: int, device: str, seed: int = 0) -> Model:
    """The network of a configuration on a scene's features, with fresh weights. Raises: ValueError; see `Model`."""
    return Model(
        features.components, features.gabor, num_classes, settings["patch"]["side"], experiments.structure(settings),
        settings["optimizer"]["lr"], device, seed,
    )  # fmt: skip


def _one_pixel(settings: Dict[str, Any]) -> Features:
    """Features of a scene of one pixel, all zero."""
    components, gabor = (
        np.zeros((1, 1, settings[part]["components"]), np.float32) for part in ("preprocessing", "gabor")
    )
    return Features(components, gabor if settings["network"]["gabor"] else None)
