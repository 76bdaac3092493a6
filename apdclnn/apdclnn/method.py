"""APDCLNN as a `Method`, for `reproduce`, `predict` and `audit`."""

from typing import Any, Dict, Tuple

import numpy as np

from apdclnn import experiments
from apdclnn.decisions import as_dict, decide
from apdclnn.device import device_name, select_device
from apdclnn.gabor import bank, pixels_of_sigma, reach
from apdclnn.predict import load
from apdclnn.preprocessing import preprocess, preprocessing_of
from apdclnn.sampling import draw_split
from apdclnn.tf_stack import FRAMEWORK, FRAMEWORK_VERSION
from apdclnn.train import fit
from shared_data.runs import environment
from shared_data.runs.method import Draw, Method
from shared_data.runs.model_file import ModelFile
from shared_data.runs.request import Configuration, Request, configuration_of
from shared_data.scenes.loading import LoadedScene, SceneImage, load_scene
from shared_data.splits.disjoint import near


def resolve(request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
    """The configuration with the request's changes, and the scene. labelled: whether it must have labels.

    Raises: UnknownNameError, SettingsError; what `load_scene` raises.
    """
    settings = experiments.load(request.experiment, request.overrides)
    decisions = decide(request.protocol)
    packaged = experiments.load(request.experiment)
    loaded = load_scene(settings["scene"], request.data, request.unverified, labelled)
    derived = experiments.complete(request, settings, packaged, loaded)
    configuration = configuration_of(request, settings, packaged, decisions, as_dict(decisions))
    return configuration._replace(derived=derived), loaded


def draw(loaded: LoadedScene, configuration: Configuration, seed: int) -> Draw:
    """The split of a seed under the protocol. Raises: SplitError."""
    settings = configuration.settings["split"]
    split = draw_split(
        loaded.ground_truth, settings["ratio"], settings["minimum"], settings["validation"], seed,
        loaded.scene.class_names,
    )  # fmt: skip
    return Draw(split)


def inputs(model: ModelFile, image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    """(n, T + T') components and, where the network has them, Gabor features; these depend on all pixels within the
    filter's radius."""
    features = preprocessing_of(model).apply(image.cube, model.config)
    parts = [part.reshape(-1, part.shape[2])[pixels] for part in features if part is not None]
    return np.concatenate(parts, axis=1)


def receptive_field(configuration: Configuration, mask: np.ndarray) -> np.ndarray:
    """(H, W) bool, the pixels whose patch, widened by the radius of the Gabor filters if there are any, holds a pixel
    of the mask."""
    distance, gabor = configuration.settings["patch"]["side"] // 2, configuration.settings["gabor"]
    if configuration.settings["network"]["gabor"]:
        filters = bank(gabor["frequencies"])
        distance += max(reach(pixels_of_sigma(each, gabor["sigma_wavelengths"])) for each in filters)
    return near(mask, distance)


def describe_environment(device: str) -> Dict[str, Any]:
    """Hardware and versions. device: as a user names it. Raises: DeviceError."""
    selected = select_device(device)
    return environment.describe_tensorflow(FRAMEWORK, FRAMEWORK_VERSION, selected, device_name(selected))


METHOD = Method(
    slug=experiments.PAPER,
    resolve=resolve,
    scene_of=experiments.scene_of,
    draw=draw,
    preprocess=preprocess,
    fit=fit,
    load=load,
    inputs=inputs,
    receptive_field=receptive_field,
    environment=describe_environment,
)
