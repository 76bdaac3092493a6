"""A2S2K-ResNet and its baselines as a `Method`, for `reproduce`, `predict` and `audit`."""

from typing import Any, Dict, Optional, Tuple

import numpy as np
import torch

from a2s2k_resnet import experiments
from a2s2k_resnet.decisions import as_dict, decide
from a2s2k_resnet.device import device_name, select_device
from a2s2k_resnet.predict import load
from a2s2k_resnet.preprocessing import preprocess_for_weights, whitening_of
from a2s2k_resnet.sampling import draw_split
from a2s2k_resnet.train import fit
from shared_data.runs import environment
from shared_data.runs.method import Draw, Method
from shared_data.runs.model_file import ModelFile
from shared_data.runs.request import Configuration, Request, configuration_of
from shared_data.scenes.loading import LoadedScene, SceneImage, load_scene
from shared_data.splits.disjoint import near


def resolve(request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
    """The configuration with the request's changes, and the scene. labelled: whether the scene must have labels.

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
    """The pixels of a seed under the protocol. Raises: SplitError."""
    held_out = configuration.settings["split"]["held_out"]
    return Draw(draw_split(loaded.ground_truth, seed, held_out, loaded.scene.class_names))


def inputs(model: ModelFile, image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    """(n, C) float32 components in the middle of the patches around flat pixel indices."""
    components = whitening_of(model).apply(image.cube)
    return components.reshape(-1, components.shape[2])[pixels]


def receptive_field(configuration: Configuration, mask: np.ndarray) -> np.ndarray:
    """(H, W) bool, the pixels whose patch holds some pixel of a mask."""
    return near(mask, configuration.settings["patch"]["side"] // 2)


def describe_environment(device: str) -> Dict[str, Any]:
    """Hardware and versions. Raises: DeviceError."""
    chosen = select_device(device)
    return environment.describe("PyTorch", torch.__version__, str(chosen), device_name(chosen), torch.get_num_threads())


def peak_gpu_mb(device: str) -> Optional[float]:
    """Peak memory of the training's tensors on a GPU, in 10^6 bytes; None on the CPU."""
    chosen = select_device(device)
    return torch.cuda.max_memory_allocated(chosen) / 1e6 if chosen.type == "cuda" else None


METHOD = Method(
    slug=experiments.PAPER,
    resolve=resolve,
    scene_of=experiments.scene_of,
    draw=draw,
    preprocess=preprocess_for_weights,
    fit=fit,
    load=load,
    inputs=inputs,
    receptive_field=receptive_field,
    environment=describe_environment,
    peak_gpu_mb=peak_gpu_mb,
)
