"""Baselines that use a pixel's spectrum and no neighbours, under the split that all methods share.

`svm`, a support vector machine with an RBF kernel, and `1nn`, the nearest training spectrum. Bands are standardised
with the training pixels; the SVM's penalty and kernel width are those of a small grid that do best on the validation
pixels; both are fitted on the training pixels alone. They implement the same `Method` interface as the papers. Only the
split is random. A stopped run starts over, because a run takes seconds.
"""

import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import sklearn
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_info

from shared_data.configuration.overrides import check_name
from shared_data.errors import CheckpointError, SettingsError, SplitError
from shared_data.runs import environment, npz_checkpoint
from shared_data.runs.history import History
from shared_data.runs.method import Draw, Fitted, Method, Report, Run
from shared_data.runs.model_file import (
    ModelFile,
    as_content,
    check_paper,
    checked_array,
    describe_model,
    from_content,
)
from shared_data.runs.request import Configuration, Request
from shared_data.runs.signals import stop_on_signals
from shared_data.scenes.loading import LoadedScene, SceneImage, load_scene
from shared_data.splits.disjoint import DisjointRule, common_split
from shared_data.splits.labels import Labels

PROTOCOLS = ("disjoint",)
_CHUNK = 2048  # pixels predicted at a time


class Candidate(NamedTuple):
    """One choice of an SVM: its penalty C, and gamma of exp(−gamma·|x − y|²) times the number of bands."""

    penalty: float
    gamma_bands: float


# of equal accuracies the first wins: the smoother boundary
GRID = tuple(Candidate(*pair) for pair in product((1, 10, 100, 1000), (0.01, 0.1, 1, 10)))


def settings_of(slug: str, scene: str) -> Dict[str, Any]:
    """The configuration of a baseline on a scene, as run directory and record hold it."""
    settings = {"scene": scene, "split": dict(DisjointRule()._asdict()), "standardisation": "train"}
    return dict(settings, grid=[list(candidate) for candidate in GRID]) if slug == "svm" else settings


def decisions_of(slug: str) -> Dict[str, Any]:
    """The choices of a baseline in words, as the record holds them."""
    decided: Dict[str, Any] = {"split": "disjoint", "standardisation": "train", "fitted_on": "train"}
    if slug == "svm":
        grid = {
            "C": sorted({candidate.penalty for candidate in GRID}),
            "gamma_times_bands": sorted({candidate.gamma_bands for candidate in GRID}),
        }
        decided.update(kernel="rbf", grid=grid, selected_on="validation")
    return decided


def resolve(slug: str, request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
    """The configuration, and the scene `request.experiment`.

    Raises: UnknownNameError; SettingsError where the request wants to change something; what `load_scene` raises.
    """
    check_name("protocol", request.protocol, PROTOCOLS)
    if request.overrides or request.iterations is not None:
        raise SettingsError("%s: a baseline has one configuration; it takes neither --set nor --iters." % slug)
    loaded = load_scene(request.experiment, request.data, request.unverified, labelled)
    settings, decided = settings_of(slug, loaded.scene.slug), decisions_of(slug)
    configuration = Configuration(
        request.experiment, request.protocol, loaded.scene.slug, settings, settings, decided, decided
    )
    return configuration, loaded


def draw(loaded: LoadedScene, _configuration: Configuration, seed: int) -> Draw:
    """The split that all methods share. Raises: SplitError."""
    return Draw(common_split(loaded, seed))


def preprocess(
    slug: str, image: SceneImage, labels: Optional[Labels], configuration: Configuration, _seed: int
) -> ModelFile:
    """Mean and deviation of every band over the training pixels; 0 where a band is constant there.

    Raises: SettingsError without labels.
    """
    if labels is None:
        raise SettingsError("%s: a scene without labels has no training pixels to standardise with." % slug)
    fitted = _spectra(image, labels.train_pixels)
    # the deviation of a constant band may be rounding noise instead of 0
    deviation = np.where(fitted.min(axis=0) < fitted.max(axis=0), fitted.std(axis=0), 0)
    return describe_model(slug, configuration, image, labels, {"mean": fitted.mean(axis=0), "deviation": deviation})


def inputs(model: ModelFile, image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    """(n, B) float64 standardised spectra at flat pixel indices, a classifier's only input.

    A band that was constant on the training pixels is zero.
    """
    deviation = model.arrays["deviation"]
    return (_spectra(image, pixels) - model.arrays["mean"]) / np.where(deviation > 0, deviation, np.inf)


def _spectra(image: SceneImage, pixels: np.ndarray) -> np.ndarray:
    rows, columns = np.divmod(pixels, image.shape[1])
    return image.cube[rows, columns].astype(np.float64)


class FittedSpectra(Fitted):
    """A classifier of spectra, with the standardised training spectra (n, B) and their classes (n)."""

    SUFFIX = ".npz"

    def __init__(self, model: ModelFile, classifier: Any, spectra: np.ndarray, classes: np.ndarray) -> None:
        self.model, self.classifier = model, classifier
        self._spectra, self._classes = spectra, classes

    def classify(self, image: SceneImage, pixels: np.ndarray) -> np.ndarray:
        """(n,) uint8 classes of flat pixel indices, a chunk at a time."""
        result = np.empty(len(pixels), np.uint8)
        for start in range(0, len(pixels), _CHUNK):
            part = pixels[start : start + _CHUNK]
            result[start : start + len(part)] = self.classifier.predict(inputs(self.model, image, part))
        return result

    def predict(self, image: SceneImage, tile: int = 0) -> np.ndarray:
        height, width = image.shape
        return self.classify(image, np.arange(height * width)).reshape(height, width)

    def save(self, path: Path) -> None:
        fitted = {"spectra": self._spectra, "classes": self._classes}
        if isinstance(self.classifier, SVC):
            fitted.update(penalty=self.classifier.C, gamma=self.classifier.gamma)
        npz_checkpoint.write(path, dict(as_content(self.model), weights=fitted))

    def weights(self) -> Dict[str, np.ndarray]:
        if isinstance(self.classifier, SVC):
            return _weights_of(self.classifier)
        return {"spectra": self._spectra.copy(), "labels": self._classes.copy()}


def _weights_of(machine: SVC) -> Dict[str, np.ndarray]:
    names = ("support_", "support_vectors_", "dual_coef_", "intercept_")
    return {name: np.array(getattr(machine, name)) for name in names}


def nearest(spectra: np.ndarray, classes: np.ndarray) -> KNeighborsClassifier:
    """The class of the training spectrum at the smallest Euclidean distance."""
    # brute force: search trees are no faster in hundreds of dimensions
    return KNeighborsClassifier(n_neighbors=1, algorithm="brute").fit(spectra, classes)


def support_vectors(spectra: np.ndarray, classes: np.ndarray, penalty: float, gamma: float) -> SVC:
    """An SVM with the kernel exp(−gamma·|x − y|²)."""
    return SVC(C=penalty, kernel="rbf", gamma=gamma).fit(spectra, classes)


def fit_nearest(
    image: SceneImage, labels: Labels, configuration: Configuration, seed: int, run: Run, steps: Optional[int] = None
) -> FittedSpectra:
    """Keep the training spectra. Raises: as `preprocess`."""
    model = preprocess("1nn", image, labels, configuration, seed)
    run.begin()
    history, begun = History(), time.perf_counter()
    spectra, classes = inputs(model, image, labels.train_pixels), labels.train.ravel()[labels.train_pixels]
    fitted = FittedSpectra(model, nearest(spectra, classes), spectra, classes)
    history.add_step(time.perf_counter() - begun)
    history.add_entry(1)
    fitted.report = Report(history, {"step": 1, "on": "nothing: there is one fit"}, None, fitted.weights())
    return fitted


def fit_svm(
    image: SceneImage, labels: Labels, configuration: Configuration, seed: int, run: Run, steps: Optional[int] = None
) -> Optional[FittedSpectra]:
    """Fit one SVM per candidate of the grid on the training pixels; keep the one with the best validation accuracy.

    Raises: SplitError where there is no validation pixel; as `preprocess`.
    """
    if not labels.val_pixels.size:
        raise SplitError("%s: the split has no validation pixel to choose C and gamma on." % image.scene.slug)
    model = preprocess("svm", image, labels, configuration, seed)
    grid = [Candidate(*pair) for pair in configuration.settings["grid"]][:steps]
    run.begin()
    train, val = (inputs(model, image, pixels) for pixels in (labels.train_pixels, labels.val_pixels))
    train_classes, val_classes = labels.train.ravel()[labels.train_pixels], labels.val.ravel()[labels.val_pixels]
    reasons: List[str] = []
    history, best, kept = History(), -1.0, 0  # kept: the candidate's number, from 1
    with stop_on_signals(reasons.append):
        for step, candidate in enumerate(grid, start=1):
            begun = time.perf_counter()
            gamma = candidate.gamma_bands / train.shape[1]
            machine = support_vectors(train, train_classes, candidate.penalty, gamma)
            accuracy = float(np.mean(machine.predict(val) == val_classes))
            history.add_step(time.perf_counter() - begun)
            history.add_entry(step, C=candidate.penalty, gamma_bands=candidate.gamma_bands, val_oa=accuracy)
            if accuracy > best:
                best, kept, chosen = accuracy, step, machine
            if reasons:
                return None
    fitted = FittedSpectra(model, chosen, train, train_classes)
    selection = {
        "step": kept,
        "last_step": len(grid),
        "on": "overall accuracy of %d validation pixels" % labels.val_pixels.size,
    }
    state = {"kept": kept, "val_oa": [entry["val_oa"] for entry in history.entries]}
    fitted.report = Report(history, selection, state, _weights_of(machine))
    return fitted


def load(slug: str, path: Path, _device: str = "cpu", _bare: Any = None) -> FittedSpectra:
    """What `FittedSpectra.save` wrote; the classifier is fitted again, which takes seconds.

    Raises: CheckpointError where the file cannot be read, is damaged or is another method's.
    """
    content = npz_checkpoint.read(path)
    model = from_content(content, path)
    if model is None:
        raise CheckpointError("%s does not say what it is a model of; give a file that a run has written." % path)
    check_paper(model, slug, path)
    stored: Any = content.get("weights")
    try:
        spectra = checked_array(stored, "spectra", (None, model.bands))
        classes = checked_array(stored, "classes", (len(spectra),))
        for name in ("mean", "deviation"):
            checked_array(model.arrays, name, (model.bands,))
        if slug == "svm":
            classifier = support_vectors(spectra, classes, float(stored["penalty"]), float(stored["gamma"]))
        else:
            classifier = nearest(spectra, classes)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError("%s is damaged (%s); give another file." % (path, error)) from error
    return FittedSpectra(model, classifier, spectra, classes)


def environment_of(_device: str) -> Dict[str, Any]:
    """Software and hardware of a run."""
    threads = max((library["num_threads"] for library in threadpool_info()), default=1)
    return environment.describe("scikit-learn", sklearn.__version__, "cpu", None, threads)


def _method(slug: str, fit: Any) -> Method:
    return Method(
        slug=slug,
        resolve=partial(resolve, slug),
        scene_of=str,
        draw=draw,
        preprocess=partial(preprocess, slug),
        fit=fit,
        load=partial(load, slug),
        inputs=inputs,
        receptive_field=lambda _configuration, mask: mask.copy(),  # a pixel's own spectrum, no surroundings
        environment=environment_of,
    )


METHODS: Dict[str, Method] = {"svm": _method("svm", fit_svm), "1nn": _method("1nn", fit_nearest)}
