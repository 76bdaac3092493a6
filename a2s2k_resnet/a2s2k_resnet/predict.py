"""`predict`: a scene, file of weights → network and fitted components → every pixel's class → maps."""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

import torch
from torch import nn

from a2s2k_resnet import checkpoint, experiments, preprocessing
from a2s2k_resnet.decisions import PROTOCOLS, decide
from a2s2k_resnet.device import select_device
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import predict_scene
from a2s2k_resnet.training import PAPER, split_of
from shared_data.configuration.schema import check_config
from shared_data.errors import settings_of
from shared_data.preprocessing.principal_components import Whitening
from shared_data.runs.model_file import ModelFile, announce, check_bands, check_paper, check_protocol
from shared_data.runs.outputs import write_classified
from shared_data.runs.request import Outcome, Request
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.draws import Split


class _Prepared(NamedTuple):
    """What turns a scene into a map. split: the request's, with bare weights on a scene with labels."""

    loaded: LoadedScene
    side: int  # of a patch
    whitening: Whitening
    network: nn.Module
    split: Optional[Split] = None


def predict(request: Request, weights: Path) -> Outcome:
    """Classify every pixel of a scene, labelled or not.

    A model that a run has written brings its configuration, components and classes; protocol, seed and overrides of the
    request do not count. Bare weights take the request's, and components fitted on its scene: the release's belong to
    --protocol released.
    Writes results/a2s2k/<experiment>/predictions/<scene>-<name of the weights>-<hash>/.
    Raises: CheckpointError where the file cannot be read or does not fit; what `reproduce` raises.
    """
    state, model = checkpoint.read_model(weights)
    device = select_device(request.device)
    if model is None:
        prepared, what = _of_request(request), "%s under --protocol %s" % (request.experiment, request.protocol)
    else:
        prepared, what = _of_model(request, model, weights), "its own description"
    checkpoint.load_weights(prepared.network, state, weights, "the network of " + what)
    announce(model, request, weights)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    with settings_of(str(weights)):
        gatherer = PatchGatherer(prepared.whitening.apply(prepared.loaded.cube), prepared.side, device)
    prediction = predict_scene(prepared.network.to(device), gatherer)
    return write_classified(PAPER, request, weights, prediction, prepared.loaded, model, prepared.split)


def _of_model(request: Request, model: ModelFile, weights: Path) -> _Prepared:
    check_paper(model, PAPER, weights)
    check_protocol(model, PROTOCOLS, weights)
    check_config(model.config, experiments.SCHEMA, str(weights))
    loaded = load_scene(experiments.scene_of(request.experiment), request.data, request.unverified, labelled=False)
    check_bands(model, loaded.scene, weights)
    with settings_of(str(weights)):
        components = experiments.components_of(model.config, model.bands)
        fitted = preprocessing.from_arrays(model.arrays, model.bands, components)
        network = experiments.network_of(model.config, model.protocol, model.bands, model.num_classes)
    return _Prepared(loaded, model.config["patch"]["side"], fitted, network)


def _of_request(request: Request) -> _Prepared:
    config: Dict[str, Any] = experiments.load(request.experiment, request.overrides)
    loaded = load_scene(config["scene"], request.data, request.unverified, labelled=False)
    split = split_of(request, config, loaded) if loaded.is_labelled else None
    train = None if split is None else split.train
    with settings_of(request.experiment):
        network = experiments.network_of(config, request.protocol, loaded.scene.bands, loaded.scene.num_classes)
        fitted = preprocessing.fit(loaded.cube, config["preprocessing"], decide(request.protocol), request.seed, train)
    return _Prepared(loaded, config["patch"]["side"], fitted, network, split)
