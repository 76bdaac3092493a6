"""A fitted baseline: what it predicts, and the file it is saved in.

A file holds the features and classes of the training pixels, the chosen parameters and the seed. It holds no estimator,
whose only format is a pickle: `load` fits it again, which takes seconds and gives the same estimator under the same
version of scikit-learn.
"""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import numpy as np

from shared_data.comparison.baselines.classifiers import Parameters
from shared_data.comparison.baselines.table import BASELINES
from shared_data.errors import CheckpointError, SettingsError
from shared_data.quoting import one_line
from shared_data.runs import npz_checkpoint
from shared_data.runs.method import Fitted
from shared_data.runs.model_file import ModelFile, as_content, check_paper, checked_array, from_content
from shared_data.runs.probabilities import of_probabilities, space_for
from shared_data.scenes.loading import SceneImage

_CHUNK = 2048  # pixels predicted at a time
_LAST_SEED = 2**32 - 1  # of numpy's generators
_WITH_PROBABILITIES = [slug for slug, baseline in BASELINES.items() if baseline.classifier.probabilities]


class FittedBaseline(Fitted):
    """An estimator, and what it was fitted to: standardised features (n, F), classes (n), parameters, seed."""

    SUFFIX = ".npz"

    def __init__(
        self, model: ModelFile, features: np.ndarray, classes: np.ndarray, parameters: Parameters, seed: int,
        estimator: Any = None,
    ) -> None:  # fmt: skip
        """estimator: fitted to these; without one it is fitted here."""
        self.model, self._features, self._classes = model, features, classes
        self._parameters, self._seed = parameters, seed
        self._classifier = BASELINES[model.paper].classifier
        self.estimator = estimator
        if estimator is None:
            self.estimator = self._classifier.fit(features, classes, parameters, seed)

    def classify(self, image: SceneImage, pixels: np.ndarray) -> np.ndarray:
        """(n,) uint8 classes of flat pixel indices, a chunk at a time."""
        result = np.empty(len(pixels), np.uint8)
        for start in range(0, len(pixels), _CHUNK):
            part = pixels[start : start + _CHUNK]
            result[start : start + len(part)] = self.estimator.predict(inputs(self.model, image, part))
        return result

    def predict(self, image: SceneImage, tile: int = 0) -> np.ndarray:
        height, width = image.shape
        return self.classify(image, np.arange(height * width)).reshape(height, width)

    def predict_probabilities(self, image: SceneImage, tile: int = 0, out: Optional[np.ndarray] = None) -> np.ndarray:
        """Of a class without training pixels 0; else as `Fitted`."""
        if not self._classifier.probabilities:
            raise SettingsError(
                "%s knows no probabilities, because a %s gives classes alone; leave them out, or take one of: %s."
                % (self.model.paper, self._classifier.facts["classifier"], ", ".join(_WITH_PROBABILITIES))
            )
        num_classes = self.model.num_classes
        out = space_for(image.shape, num_classes, out)
        values = out.reshape(-1, num_classes)
        for start in range(0, len(values), _CHUNK):
            pixels = np.arange(start, min(start + _CHUNK, len(values)))
            found = np.zeros((len(pixels), num_classes))
            found[:, self.estimator.classes_ - 1] = self.estimator.predict_proba(inputs(self.model, image, pixels))
            values[pixels] = of_probabilities(found)
        return out

    def save(self, path: Path) -> None:
        fitted = {
            "features": self._features,
            "classes": self._classes,
            "parameters": self._parameters,
            "seed": self._seed,
        }
        npz_checkpoint.write(path, dict(as_content(self.model), weights=fitted))

    def weights(self) -> Dict[str, np.ndarray]:
        return self._classifier.weights(self.estimator, self._features, self._classes)


def inputs(model: ModelFile, image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    """(n, F) float64 standardised features at flat pixel indices, a classifier's only input.

    A feature that was constant on the training pixels is zero.
    """
    deviation = model.arrays["deviation"]
    features = BASELINES[model.paper].features.of(image, pixels)
    return (features - model.arrays["mean"]) / np.where(deviation > 0, deviation, np.inf)


def load(slug: str, path: Path, _device: str = "cpu", _bare: Any = None) -> FittedBaseline:
    """What `FittedBaseline.save` wrote, fitted again.

    Raises: CheckpointError where the file cannot be read, is damaged or is another method's.
    """
    content = npz_checkpoint.read(path)
    model = from_content(content, path)
    if model is None:
        raise CheckpointError("%s does not say what it is a model of; give a file that a run has written." % path)
    check_paper(model, slug, path)
    try:
        return _fitted_again(model, content.get("weights"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError("%s is damaged (%s); give another file." % (path, one_line(error, 160))) from error


def _fitted_again(model: ModelFile, stored: Any) -> FittedBaseline:
    """Raises: ValueError, TypeError, KeyError or AttributeError where the file's content is wrong."""
    count = BASELINES[model.paper].features.count(model.bands)
    for name in ("mean", "deviation"):
        checked_array(model.arrays, name, (count,))
    features = checked_array(stored, "features", (None, count))
    if features.dtype != np.float64 or not np.isfinite(features).all():
        raise ValueError("'features' holds other values than finite numbers")
    classes = checked_array(stored, "classes", (len(features),))
    if classes.dtype != np.uint8 or not 1 <= classes.min() <= classes.max() <= model.num_classes:
        raise ValueError("'classes' holds other numbers than 1 to %d" % model.num_classes)
    seed = stored["seed"]
    if type(seed) is not int or not 0 <= seed <= _LAST_SEED:
        raise ValueError("'seed' is no seed")
    return FittedBaseline(model, features, classes, _checked_parameters(model.paper, stored["parameters"]), seed)


def _checked_parameters(slug: str, stored: Mapping[str, Any]) -> Parameters:
    """Parameters as one of the candidates. A file cannot ask for millions of trees. Raises: ValueError."""
    for candidate in BASELINES[slug].classifier.candidates:
        if stored == candidate:
            return dict(candidate)
    raise ValueError("'parameters' are none of the baseline's candidates")
