"""`predict`: a scene, file of weights → network → every pixel's class → maps."""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

from da_imrn import experiments, training
from da_imrn.decisions import PROTOCOLS, decide
from da_imrn.device import select_device
from da_imrn.keras_stack import tf
from da_imrn.prediction import predict_scene
from da_imrn.training import PAPER
from da_imrn.weights import read_description, read_weights
from shared_data.configuration.schema import check_config
from shared_data.errors import settings_of
from shared_data.runs.model_file import ModelFile, announce, check_bands, check_paper, check_protocol
from shared_data.runs.outputs import write_classified
from shared_data.runs.request import Outcome, Request
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.draws import Split


class _Prepared(NamedTuple):
    """What a network needs to classify a scene. split: the request's, with bare weights on a scene with labels."""

    loaded: LoadedScene
    config: Dict[str, Any]
    protocol: str
    num_classes: int
    split: Optional[Split] = None


def predict(request: Request, weights: Path) -> Outcome:
    """Classify every pixel of a scene, labelled or not.

    weights: `selected.hdf5` of a run, which brings its configuration and classes (protocol, seed and overrides of the
    request do not count), or weights alone, which take the request's: the release's belong to --protocol released.
    Writes results/da-imrn/<experiment>/predictions/<scene>-<name of the weights>-<hash>/.
    Raises: CheckpointError where the file cannot be read or does not fit; what `reproduce` raises.
    """
    described = read_description(weights)
    device = select_device(request.device)
    prepared = _of_request(request) if described is None else _of_model(request, described, weights)
    loaded, patch = prepared.loaded, prepared.config["partition"]["patch"]
    name = request.experiment if described is None else str(weights)
    with settings_of(name), tf.device(device):
        if patch > min(loaded.ground_truth.shape):
            raise ValueError("a patch of %d × %d pixels is larger than the scene" % (patch, patch))
        network = experiments.network_of(prepared.config, prepared.protocol, loaded.scene.bands, prepared.num_classes)
    read_weights(weights, network)
    announce(described, request, weights)
    with tf.device(device):
        prediction = predict_scene(network, loaded.cube, patch)
    return write_classified(PAPER, request, weights, prediction, loaded, described, prepared.split)


def _of_model(request: Request, described: ModelFile, weights: Path) -> _Prepared:
    check_paper(described, PAPER, weights)
    check_protocol(described, PROTOCOLS, weights)
    check_config(described.config, experiments.SCHEMA, str(weights))
    loaded = load_scene(experiments.scene_of(request.experiment), request.data, request.unverified, labelled=False)
    check_bands(described, loaded.scene, weights)
    return _Prepared(loaded, described.config, described.protocol, described.num_classes)


def _of_request(request: Request) -> _Prepared:
    config = experiments.load(request.experiment, request.overrides)
    loaded = load_scene(config["scene"], request.data, request.unverified, labelled=False)
    split = None
    if loaded.is_labelled:
        partition = training.partition_of_request(request, config, loaded)
        tested = decide(request.protocol).tested
        split = training.split_of(partition, config["partition"]["patch"], tested)
    return _Prepared(loaded, config, request.protocol, loaded.scene.num_classes, split)
