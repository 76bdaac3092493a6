"""DA-IMRN as a `Method`, for `reproduce`, `predict` and `audit`."""

from typing import Any, Dict, Optional, Tuple

import numpy as np

from da_imrn import experiments
from da_imrn.decisions import as_dict, decide
from da_imrn.device import device_name, peak_memory_mb, select_device
from da_imrn.keras_stack import FRAMEWORK, FRAMEWORK_VERSION
from da_imrn.labels import labels_of, split_of
from da_imrn.partition import Partition
from da_imrn.partition_of_split import partition_of_split
from da_imrn.predata import evidence_of
from da_imrn.predict import load, preprocess
from da_imrn.prediction import seen_by_tiles
from da_imrn.train import fit
from shared_data.errors import settings_of
from shared_data.runs import environment
from shared_data.runs.method import Draw, Method
from shared_data.runs.model_file import ModelFile
from shared_data.runs.request import Configuration, Request, configuration_of
from shared_data.scenes.loading import LoadedScene, SceneImage, load_scene
from shared_data.splits.draws import Split


def resolve(request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
    """The configuration with the request's changes, and the scene; where the request names the official predata, their
    files are among the scene's evidence, because they decide the result too. labelled: whether it must have labels.

    Raises: UnknownNameError, SettingsError, SplitError; what `load_scene` raises.
    """
    settings, packaged = (experiments.load(request.experiment, changes) for changes in (request.overrides, ()))
    loaded = load_scene(settings["scene"], request.data, request.unverified, labelled)
    derived = experiments.complete(request, settings, packaged, loaded)
    bands = loaded.scene.bands
    predata = experiments.find_predata(request.predata, settings, request.protocol, bands, request.seed)
    if predata is not None:
        loaded = loaded._replace(files=loaded.files + evidence_of(predata.files))
    decisions = decide(request.protocol)
    configuration = configuration_of(request, settings, packaged, decisions, as_dict(decisions), given=predata)
    return configuration._replace(derived=derived), loaded


def draw(loaded: LoadedScene, configuration: Configuration, seed: int) -> Draw:
    """The pixels of a seed under a protocol of the paper; the plan is their partition into windows.

    Raises: SplitError, SettingsError.
    """
    settings = configuration.settings
    with settings_of(configuration.experiment):
        partition = experiments.partition_for(settings, configuration.protocol, loaded, seed, configuration.given)
    return _draw_of(partition, configuration)


def draw_of_split(split: Split, loaded: LoadedScene, configuration: Configuration) -> Draw:
    """The same for the pixels of a split that all methods share. Raises: SettingsError for sides that do not fit."""
    rule, _, _ = experiments.partition_rule(configuration.settings, configuration.protocol)
    with settings_of(configuration.experiment):
        partition = partition_of_split(split, loaded.ground_truth, rule)
    return _draw_of(partition, configuration)


def _draw_of(partition: Partition, configuration: Configuration) -> Draw:
    patch = configuration.settings["partition"]["patch"]
    return Draw(split_of(partition, patch, configuration.decisions.tested), partition)


def inputs(model: ModelFile, image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    """(n, B) float32 digital numbers at flat pixel indices."""
    return image.cube.reshape(-1, model.bands)[pixels].astype(np.float32)


def receptive_field(configuration: Configuration, mask: np.ndarray) -> np.ndarray:
    """(H, W) bool, the pixels whose patch holds some pixel of a mask."""
    return seen_by_tiles(mask, configuration.settings["partition"]["patch"])


def describe_environment(device: str) -> Dict[str, Any]:
    """Hardware and versions. device: as a user names it. Raises: DeviceError."""
    selected = select_device(device)
    return environment.describe_tensorflow(FRAMEWORK, FRAMEWORK_VERSION, selected, device_name(selected))


def peak_gpu_mb(device: str) -> Optional[float]:
    """Peak memory of a GPU in 10^6 bytes; None for the CPU, and where TensorFlow does not report it."""
    return peak_memory_mb(select_device(device))


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
    peak_gpu_mb=peak_gpu_mb,
    labels=labels_of,
    draw_of_split=draw_of_split,
)
