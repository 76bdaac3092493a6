"""The pixels of a run: drawn by the method under its own protocols, by its caller under the shared ones."""

from typing import Any, Dict, Tuple

import numpy as np

from shared_data.runs.method import Draw, Method
from shared_data.runs.request import Configuration, Request
from shared_data.scenes.loading import LoadedScene, SceneImage
from shared_data.splits.disjoint import least_distance
from shared_data.splits.draws import Split, mask_of
from shared_data.splits.shared_protocols import (
    draw_shared,
    is_from_files,
    is_shared,
    mask_spectra,
    masks_test_spectra,
    read_from_files,
)
from shared_data.splits.spatial import untrained_classes


def resolve(method: Method, request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
    """The configuration and the scene of a request; files that hold its pixels are among the scene's evidence.

    Raises: what `Method.resolve` raises; SplitError where such a file cannot be used.
    """
    configuration, loaded = method.resolve(request, labelled)
    if is_from_files(request.protocol):
        found = read_from_files(loaded, request.protocol, request.seed, request.split, request.data)
        loaded = loaded._replace(files=loaded.files + found.files)
        configuration = configuration._replace(from_files=found)
    return configuration._replace(fold=request.fold), loaded


def draw_pixels(method: Method, loaded: LoadedScene, configuration: Configuration, seed: int) -> Draw:
    """The pixels of a seed under the configuration's protocol. Raises: SplitError, SettingsError."""
    if not is_shared(configuration.protocol):
        return method.draw(loaded, configuration, seed)
    if configuration.from_files is not None:
        found = configuration.from_files
        return method.draw_of_split(found.split, loaded, configuration)._replace(facts=found.facts)
    split = draw_shared(loaded, configuration.protocol, seed, configuration.fold)
    return method.draw_of_split(split, loaded, configuration)


def training_image(loaded: LoadedScene, configuration: Configuration, split: Split) -> SceneImage:
    """The image that training sees: the scene, or a copy without the spectra of test pixels."""
    return mask_spectra(loaded.image, split) if masks_test_spectra(configuration.protocol) else loaded.image


def unclassified_where_invalid(prediction: np.ndarray, image: SceneImage) -> np.ndarray:
    """(H, W) classes with 0, no class, at the pixels that are not valid; the same array where all are."""
    return prediction if image.valid is None else np.where(image.valid, prediction, 0).astype(prediction.dtype)


def context_of(method: Method, configuration: Configuration, split: Split, ground_truth: np.ndarray) -> Dict[str, Any]:
    """The record's `context`: how much of training lies inside the inputs of test pixels, and how far away it is.

    ground_truth: (H, W) labels; those of validation pixels are counted.
    """
    shape = ground_truth.shape
    with_training = method.receptive_field(configuration, mask_of(split.train, shape))
    with_patches = method.receptive_field(configuration, with_training)
    seen = "seen" if with_training.ravel()[split.test].any() else "not seen"
    return {
        "test_with_training_pixel": float(with_training.ravel()[split.test].mean()),
        "test_with_training_patch": float(with_patches.ravel()[split.test].mean()),
        "test_spectra": "masked" if masks_test_spectra(configuration.protocol) else seen,
        "test_to_training": least_distance(split.train, split.test, shape),
        "test_to_validation": least_distance(split.val, split.test, shape),
        "validation_classes": len(np.unique(ground_truth.ravel()[split.val])),
    }


def untrained_of(ground_truth: np.ndarray, split: Split) -> Any:
    """The record's `untrained`: classes that are tested without a training pixel."""
    return [{"class": label, "test_pixels": pixels} for label, pixels in untrained_classes(ground_truth, split)]
