"""`predict`: a scene, file of weights → fitted preprocessing and network → every pixel's class → maps."""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

from apdclnn import experiments, preprocessing
from apdclnn.decisions import PROTOCOLS, decide
from apdclnn.device import select_device
from apdclnn.prediction import predict_scene
from apdclnn.preprocessing import Features
from apdclnn.training import PAPER, gabor_cache, model_of, split_of
from shared_data.configuration.schema import check_config
from shared_data.errors import CheckpointError, SettingsError, settings_of
from shared_data.runs import npz_checkpoint
from shared_data.runs.model_file import (
    ModelFile,
    announce,
    check_bands,
    check_paper,
    check_protocol,
    from_content,
    unwrapped,
)
from shared_data.runs.outputs import write_classified
from shared_data.runs.request import Outcome, Request
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.draws import Split


class _Prepared(NamedTuple):
    """What a network needs to classify a scene. split: the request's, with bare weights on a scene with labels."""

    loaded: LoadedScene
    config: Dict[str, Any]
    features: Features
    num_classes: int
    split: Optional[Split] = None


def predict(request: Request, weights: Path) -> Outcome:
    """Classify every pixel of a scene, labelled or not, with a run's `selected.npz`.

    The file brings its configuration, preprocessing and classes; protocol, seed and overrides of the request do not
    count. Weights alone, as older versions kept them, take the request's, and what is fitted on its scene.
    Writes results/apdclnn/<experiment>/predictions/<scene>-<name of the weights>-<hash>/.
    Raises: CheckpointError where the file cannot be read or does not fit; what `reproduce` raises.
    """
    content = npz_checkpoint.read(weights)
    described = from_content(content, weights)
    device = select_device(request.device)
    prepared = _of_request(request) if described is None else _of_model(request, described, weights)
    with settings_of(str(weights) if described else request.experiment):
        model = model_of(prepared.features, prepared.config, prepared.num_classes, device, request.seed)
    try:
        model.set_numbers(unwrapped(content.get("weights", content)))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        what = request.experiment if described is None else "the network of its own description"
        raise CheckpointError("%s does not fit %s: %s." % (weights, what, error)) from error
    announce(described, request, weights)
    prediction = predict_scene(model, *prepared.loaded.ground_truth.shape)
    return write_classified(PAPER, request, weights, prediction, prepared.loaded, described, prepared.split)


def _of_model(request: Request, described: ModelFile, weights: Path) -> _Prepared:
    check_paper(described, PAPER, weights)
    check_protocol(described, PROTOCOLS, weights)
    check_config(described.config, experiments.SCHEMA, str(weights))
    loaded = load_scene(experiments.scene_of(request.experiment), request.data, request.unverified, labelled=False)
    check_bands(described, loaded.scene, weights)
    with settings_of(str(weights)):
        fitted = preprocessing.from_arrays(described.arrays, described.config, described.bands)
        features = fitted.apply(loaded.cube, described.config, gabor_cache(request))
    return _Prepared(loaded, described.config, features, described.num_classes)


def _of_request(request: Request) -> _Prepared:
    config = experiments.load(request.experiment, request.overrides)
    loaded = load_scene(config["scene"], request.data, request.unverified, labelled=False)
    split = split_of(request, config, loaded) if loaded.is_labelled else None
    on_train = decide(request.protocol).fitted == "train"
    if on_train and split is None:
        raise SettingsError(
            "%s: under the protocol %s preprocessing is fitted on training pixels, and a scene without labels has "
            "none; give a file that a run has written." % (request.experiment, request.protocol)
        )
    with settings_of(request.experiment):
        _, features = preprocessing.fit(
            loaded.cube, config, split.train if on_train and split else None, gabor_cache(request)
        )
    return _Prepared(loaded, config, features, loaded.scene.num_classes, split)
