"""A trained network: every pixel's class, the saved file, and what the paper reports."""

from pathlib import Path
from typing import Any, Callable, Dict, Optional

import numpy as np

from da_imrn import experiments
from da_imrn.decisions import PROTOCOLS, decide
from da_imrn.device import select_device
from da_imrn.evaluation import average_accuracy_plus_one
from da_imrn.keras_stack import tf
from da_imrn.partition import Partition, window_pixels
from da_imrn.partition_audit import audit as audit_partition
from da_imrn.patches import op_patches
from da_imrn.prediction import predict_patches, predict_scene, scene_probabilities
from da_imrn.weights import by_name, read_description, read_weights, write_weights
from shared_data.configuration.schema import check_config
from shared_data.errors import CheckpointError, SettingsError, settings_of
from shared_data.evaluation.metrics import evaluate
from shared_data.runs.method import Fitted, Further, Report
from shared_data.runs.model_file import ModelFile, check_paper, check_protocol, describe_model
from shared_data.runs.probabilities import space_for
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import SceneImage
from shared_data.splits.labels import Truth


def preprocess(image: SceneImage, labels: Any, configuration: Configuration, _seed: int) -> ModelFile:
    """The model without weights; raw digital numbers go into the network, so nothing is fitted.

    labels: of `da_imrn.labels.labels_of`; None for a scene without.
    """
    return describe_model(experiments.PAPER, configuration, image, labels, {})


class FittedNetwork(Fitted):
    """A network with its weights.

    device: as TensorFlow names it. report, windows: of the training, see `da_imrn.labels`; None of a loaded file.
    """

    SUFFIX = ".hdf5"

    def __init__(
        self,
        network: Any,
        model: ModelFile,
        device: str,
        report: Optional[Report] = None,
        windows: Optional[Partition] = None,
    ) -> None:
        self.network, self.model, self.report = network, model, report
        self._device, self._windows = device, windows
        self._patch = model.config["partition"]["patch"]

    def predict(self, image: SceneImage, tile: int = 0) -> np.ndarray:
        """(H, W) uint8 classes 1..K of every pixel; patches are gathered in batches; `tile` is ignored.

        Raises: SettingsError for a scene smaller than a patch.
        """
        self._check_size(image)
        with tf.device(self._device):
            return predict_scene(self.network, image.cube, self._patch, self.progress)

    def predict_probabilities(self, image: SceneImage, tile: int = 0, out: Optional[np.ndarray] = None) -> np.ndarray:
        """(H, W, K) float16 softmax values; else as `predict`."""
        self._check_size(image)
        out = space_for(image.shape, self.model.num_classes, out)
        with tf.device(self._device):
            scene_probabilities(self.network, image.cube, self._patch, out, self.progress)
        return out

    def _check_size(self, image: SceneImage) -> None:
        if self._patch > min(image.shape):
            raise SettingsError(
                "%s: a patch of %d × %d pixels is larger than the scene of %d × %d; classify a larger image."
                % (image.scene.slug, self._patch, self._patch, *image.shape)
            )

    def save(self, path: Path) -> None:
        write_weights(path, self.network, self.model)

    def weights(self) -> Dict[str, np.ndarray]:
        return by_name(self.network)

    def report_further(self, image: SceneImage, truth: Truth, prediction: np.ndarray) -> Further:
        """Accuracies on the labels held out inside training windows; the release's AA on the test pixels,
        `aa_released`, where the protocol reports it; and the audit of the partition."""
        windows = self._windows
        assert windows is not None  # `fit` always sets it
        metrics = self._op_metrics(image, truth, windows)
        if decide(self.model.protocol).aa_beside_recall == "n_plus_one":
            expected, found = (labels.ravel()[truth.test] for labels in (truth.labels, prediction))
            metrics["aa_released"] = average_accuracy_plus_one(expected, found, self.model.num_classes)
        rule, _, _ = experiments.partition_rule(self.model.config, self.model.protocol)
        return Further(metrics, audit_partition(windows, rule))

    def _op_metrics(self, image: SceneImage, truth: Truth, windows: Partition) -> Dict[str, float]:
        """Accuracies on the labels held out inside training windows, inflated by leakage; empty where there are
        none."""
        patches = op_patches(windows, self._patch)
        held_out = patches.labels > 0
        if not held_out.any():
            return {}
        pixels = window_pixels(patches.corners, self._patch, image.shape[1])[held_out]
        with tf.device(self._device):
            classes = predict_patches(self.network, image.cube, patches.corners, self._patch)
        found = evaluate(truth.labels.ravel()[pixels], classes[held_out], self.model.num_classes)
        return {"oa_op": found.oa, "aa_op": found.aa, "kappa_op": found.kappa}


def load(path: Path, device: str = "auto", bare: Optional[Callable[[], ModelFile]] = None) -> FittedNetwork:
    """What `FittedNetwork.save` has written.

    bare: gives the model of a file that holds weights alone, such as the release's, which belong to its protocol
    `released`.
    Raises: CheckpointError where the file cannot be read or does not fit; SettingsError; DeviceError; what `bare`
    raises.
    """
    model = read_description(path)
    chosen = select_device(device)
    if model is not None:
        check_paper(model, experiments.PAPER, path)
        check_protocol(model, PROTOCOLS, path)
        check_config(model.config, experiments.SCHEMA, str(path))
        source = str(path)
    elif bare is not None:
        model = bare()
        source = model.experiment
    else:
        raise CheckpointError(
            "%s holds weights alone, without a configuration; give a file that a run has written, or the model that "
            "these weights belong to." % path
        )
    with settings_of(source), tf.device(chosen):
        network = experiments.network_of(model.config, model.protocol, model.bands, model.num_classes)
    read_weights(path, network)
    return FittedNetwork(network, model, chosen)
