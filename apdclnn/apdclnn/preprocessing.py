"""R1, R8: a scene scaled to 0..1, its whitened components, one per time step of the cells, and its Gabor features.

Fitted in training, kept with the weights, applied to any scene with as many bands.
"""

from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from apdclnn.experiments import PAPER, check_sizes
from apdclnn.gabor import bank
from apdclnn.gabor_features import GaborFit, features_and_fit
from shared_data.errors import RunDirectoryError, SettingsError, settings_of
from shared_data.preprocessing import principal_components as whitening
from shared_data.preprocessing.principal_components import Whitening
from shared_data.runs.model_file import ModelFile, checked_array, describe_model
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import SceneImage
from shared_data.scenes.mapped import is_mapped, row_blocks, storage_like
from shared_data.splits.labels import Labels


class Features(NamedTuple):
    """The network's input from a scene: components (H, W, T) and, where it uses them, Gabor features (H, W, T'),
    float32."""

    components: np.ndarray
    gabor: Optional[np.ndarray]


class Preprocessing(NamedTuple):
    """The fitted preprocessing: the values scaled to 0 and 1, the principal components, and those of the Gabor
    responses."""

    lowest: float
    highest: float
    whitening: Whitening
    gabor: Optional[GaborFit]

    def apply(self, cube: np.ndarray, config: Dict[str, Any], cache: Optional[Path] = None) -> Features:
        """The features of a (H, W, B) scene.

        config: the one it was fitted with. cache: folder for Gabor features; None keeps none.

        Raises: RunDirectoryError where the cache cannot be written.
        """
        between = _between_0_and_1(cube, self.lowest, self.highest)
        gabor = None
        if self.gabor is not None:
            gabor, _ = _gabor(between, config["gabor"], cache, None, self.gabor)
        return Features(self.whitening.apply(between), gabor)

    def arrays(self) -> Dict[str, np.ndarray]:
        """The arrays that a saved model holds."""
        arrays = {
            "range": np.array([self.lowest, self.highest]),
            "mean": self.whitening.mean,
            "axes": self.whitening.axes,
        }
        if self.gabor is not None:
            arrays.update(gabor_mean=self.gabor.mean, gabor_weights=self.gabor.weights)
        return arrays


def preprocess(image: SceneImage, labels: Optional[Labels], configuration: Configuration, _seed: int) -> ModelFile:
    """The model without weights: scaling, components and Gabor axes of a scene, or of its training pixels.

    labels: None for a scene without. Raises: SettingsError where the protocol needs them, or sizes do not fit.
    """
    fitted, _ = fitted_and_features(image, labels, configuration)
    return describe_model(PAPER, configuration, image, labels, fitted.arrays())


def fitted_and_features(
    image: SceneImage, labels: Optional[Labels], configuration: Configuration, cache: Optional[Path] = None
) -> Tuple[Preprocessing, Features]:
    """Fit the preprocessing on a scene under a protocol; return it with the features of the same scene.

    Sizes that do not fit the scene or the network are found before anything is computed.
    labels: not needed where the protocol fits on the whole scene. cache: folder for Gabor features; None keeps none.
    Raises: SettingsError where labels are needed and missing, or sizes do not fit; RunDirectoryError where the cache
    cannot be written.
    """
    with settings_of(configuration.experiment):
        check_sizes(configuration.settings, image.cube.shape[2])
    pixels = None
    if configuration.decisions.fitted == "train":
        if labels is None:
            raise SettingsError(
                "%s: under the protocol %s preprocessing is fitted on training pixels, and a scene without labels has "
                "none; give a file that a run has written." % (configuration.experiment, configuration.protocol)
            )
        pixels = labels.train_pixels
    with settings_of(configuration.experiment):
        return fit(image.cube, configuration.settings, pixels, cache, image.valid)


def preprocessing_of(model: ModelFile) -> Preprocessing:
    """The fitted preprocessing of a model. Raises: ValueError for an array that is missing or does not fit."""
    return from_arrays(model.arrays, model.config, model.bands)


def fit(
    cube: np.ndarray,
    config: Dict[str, Any],
    fitted: Optional[np.ndarray],
    cache: Optional[Path] = None,
    valid: Optional[np.ndarray] = None,
) -> Tuple[Preprocessing, Features]:
    """Fit on a (H, W, B) scene, and its features.

    fitted: flat pixel indices to fit on; None: the whole scene. cache: folder for Gabor features; None keeps none.
    valid: (H, W) bool, the pixels that the whole scene consists of, all others having their mean; None for all.
    Raises: ValueError for sizes that do not fit; RunDirectoryError where the cache cannot be written.
    """
    lowest, highest = value_range(cube, fitted)
    between = _between_0_and_1(cube, lowest, highest)
    found = whitening.fit(between, fitted, config["preprocessing"]["components"], valid=valid)
    gabor, gabor_fit = None, None
    if config["network"]["gabor"]:
        sampled = np.flatnonzero(valid) if fitted is None and valid is not None else fitted
        gabor, gabor_fit = _gabor(between, config["gabor"], cache, sampled, None)
    return Preprocessing(lowest, highest, found, gabor_fit), Features(found.apply(between), gabor)


def from_arrays(arrays: Mapping[str, np.ndarray], config: Dict[str, Any], bands: int) -> Preprocessing:
    """The inverse of `Preprocessing.arrays`. Raises: ValueError for an array that is missing or does not fit."""
    lowest, highest = (float(end) for end in checked_array(arrays, "range", (2,)))
    mean, axes = (
        checked_array(arrays, name, shape)
        for name, shape in (("mean", (bands,)), ("axes", (bands, config["preprocessing"]["components"])))
    )
    gabor = None
    if config["network"]["gabor"]:
        responses = len(bank(config["gabor"]["frequencies"])) * bands
        shapes = (("gabor_mean", (responses,)), ("gabor_weights", (responses, config["gabor"]["components"])))
        gabor = GaborFit(*(checked_array(arrays, name, shape).astype(np.float32) for name, shape in shapes))
    return Preprocessing(lowest, highest, Whitening(mean, axes), gabor)


def _gabor(
    between: np.ndarray,
    settings: Dict[str, Any],
    cache: Optional[Path],
    fitted: Optional[np.ndarray],
    given: Optional[GaborFit],
) -> Tuple[np.ndarray, GaborFit]:
    """R8, cached for all seeds."""
    try:
        return features_and_fit(
            between, settings["frequencies"], settings["components"], cache,
            sigma_wavelengths=settings["sigma_wavelengths"], fitted=fitted, fit=given,
        )  # fmt: skip
    except OSError as error:
        raise RunDirectoryError(
            "%s cannot be written: %s. The same command computes the Gabor features again."
            % (cache or "the folder of temporary files", error.strerror or error)
        ) from error


def value_range(cube: np.ndarray, fitted: Optional[np.ndarray] = None) -> Tuple[float, float]:
    """The smallest and the largest number of a cube, or of the pixels at some flat indices."""
    judged = cube if fitted is None else cube.reshape(-1, cube.shape[-1])[fitted]
    return float(judged.min()), float(judged.max())


def scaled(cube: np.ndarray, fitted: Optional[np.ndarray] = None) -> np.ndarray:
    """(H, W, B) numbers to float32 in 0..1, by the cube's smallest and largest number; 0 where all are equal.

    fitted: flat pixel indices that determine the scaling instead of the whole cube; other pixels may exceed 0..1.
    The result of a memory-mapped cube is memory-mapped, too.
    """
    return _between_0_and_1(cube, *value_range(cube, fitted))


def _between_0_and_1(cube: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    if not is_mapped(cube):
        return _shifted(cube.astype(np.float32), lowest, highest)
    result = storage_like(cube, cube.shape, np.float32)
    for rows in row_blocks(cube):
        result[rows] = _shifted(np.array(cube[rows], np.float32), lowest, highest)
    return result


def _shifted(values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """Scale float32 numbers to 0..1 in place."""
    values -= lowest
    if highest > lowest:
        values /= highest - lowest
    return values
