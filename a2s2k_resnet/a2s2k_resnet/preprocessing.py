"""The principal components before the network: fitted in training, kept with the weights, applied to any scene."""

from typing import Any, Dict, Optional

import numpy as np

from a2s2k_resnet import experiments
from a2s2k_resnet.decisions import Decisions
from shared_data.errors import settings_of
from shared_data.preprocessing import principal_components as whitening
from shared_data.preprocessing.principal_components import Whitening
from shared_data.runs.model_file import ModelFile, checked_array, describe_model
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import SceneImage
from shared_data.splits.labels import Labels


def fit(
    image: SceneImage,
    settings: Dict[str, Any],
    decisions: Decisions,
    seed: int,
    train: Optional[np.ndarray],
    signs: str = "axes",
) -> Whitening:
    """settings: `preprocessing` of a configuration. seed: of the run. train: flat indices of the training pixels; None
    where there are none, which a protocol that fits on the whole scene does not need. signs: of the axes, see
    `principal_components.fit`.

    Raises: ValueError for an impossible number of components, or without training pixels where they are needed.
    """
    if decisions.preprocessing == "train" and train is None:
        raise ValueError(
            "under this protocol principal components are fitted on training pixels, and a scene without labels has "
            "none; give a file that a run has written, or --protocol released"
        )
    fitted = {"scene": None, "train": train}[decisions.preprocessing]
    components = settings["components"] or None
    # with every component kept there is nothing to estimate, and scikit-learn decomposes in full
    randomised = decisions.pca_solver == "randomised" and components is not None
    return whitening.fit(image.cube, fitted, components, seed if randomised else None, image.valid, signs)


def preprocess(
    image: SceneImage, labels: Optional[Labels], configuration: Configuration, seed: int, signs: str = "axes"
) -> ModelFile:
    """The model of a scene without its weights; its arrays are `mean` (B) and `axes` (B, C), float64.

    Sizes that do not fit the network are found before anything is computed.
    labels: None for a scene without. signs: of the axes, see `principal_components.fit`.
    Raises: SettingsError as `fit` and `experiments.check_sizes` raise ValueError.
    """
    train, settings = None if labels is None else labels.train_pixels, configuration.settings
    with settings_of(configuration.experiment):
        experiments.check_sizes(settings, image.cube.shape)
        fitted = fit(image, settings["preprocessing"], configuration.decisions, seed, train, signs)
    arrays = {"mean": fitted.mean, "axes": fitted.axes}
    return describe_model(experiments.PAPER, configuration, image, labels, arrays)


def preprocess_for_weights(
    image: SceneImage, labels: Optional[Labels], configuration: Configuration, seed: int
) -> ModelFile:
    """As `preprocess`, for weights that come without their components, such as the release's.

    A network is trained on components of either sign, but has learnt one of them. Where the components are those of
    the whole scene, as in the release, their signs are those of scikit-learn 0.22.1, which the release names. The audit
    compares what this fits on altered scenes, for which the signs do not matter.
    """
    signs = "scores" if configuration.decisions.preprocessing == "scene" else "axes"
    return preprocess(image, labels, configuration, seed, signs)


def whitening_of(model: ModelFile) -> Whitening:
    """What a model's arrays hold. Raises: ValueError for one that is missing or does not fit."""
    shape = model.bands, experiments.components_of(model.config, model.bands)
    return Whitening(checked_array(model.arrays, "mean", shape[:1]), checked_array(model.arrays, "axes", shape))
