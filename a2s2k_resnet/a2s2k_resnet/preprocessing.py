"""The principal components before the network: fitted in training, kept with the weights, applied to any scene."""

from typing import Any, Dict, Mapping, Optional

import numpy as np

from a2s2k_resnet.decisions import Decisions
from shared_data.preprocessing import principal_components as whitening
from shared_data.preprocessing.principal_components import Whitening
from shared_data.runs.model_file import checked_array


def fit(
    cube: np.ndarray, settings: Dict[str, Any], decisions: Decisions, seed: int, train: Optional[np.ndarray]
) -> Whitening:
    """settings: `preprocessing` of a configuration. seed: of the run. train: flat indices of the training pixels; None
    where there are none, which a protocol that fits on the whole scene does not need.

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
    return whitening.fit(cube, fitted, components, seed if randomised else None)


def arrays_of(fitted: Whitening) -> Dict[str, np.ndarray]:
    """What a saved model keeps of it: `mean` (B) and `axes` (B, C), float64."""
    return {"mean": fitted.mean, "axes": fitted.axes}


def from_arrays(arrays: Mapping[str, np.ndarray], bands: int, components: int) -> Whitening:
    """The inverse of `arrays_of`. components: C. Raises: ValueError for an array that is missing or does not fit."""
    return Whitening(checked_array(arrays, "mean", (bands,)), checked_array(arrays, "axes", (bands, components)))
