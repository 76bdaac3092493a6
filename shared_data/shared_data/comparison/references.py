"""Sober references on spectra alone, under the split that all methods share: what a pixel's own spectrum already tells.

`svm`, a support vector machine with an RBF kernel, and `1nn`, the nearest training spectrum. Bands are standardised
with the training pixels; the SVM's penalty and kernel width are those of a small grid that do best on the validation
pixels; both are fitted on the training pixels alone. They leave run directories and records like a paper. Nothing is
drawn at random beyond the split, and a stopped run starts over: it takes seconds.
"""

import time
from itertools import product
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np
import sklearn
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_info

from shared_data.configuration.overrides import check_name
from shared_data.errors import SettingsError, SplitError
from shared_data.runs import environment
from shared_data.runs.history import History
from shared_data.runs.outputs import Results
from shared_data.runs.reproduce import PreparedRun, reproduce_once
from shared_data.runs.request import Outcome, Request
from shared_data.runs.signals import stop_on_signals
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.disjoint import DisjointRule, common_split
from shared_data.splits.draws import Split

PROTOCOLS = ("disjoint",)
_CHUNK = 2048  # pixels predicted at a time


class Candidate(NamedTuple):
    """One choice of an SVM: its penalty C, and gamma of exp(−gamma·|x − y|²) times the number of bands."""

    penalty: float
    gamma_bands: float


# for equal accuracy the first one counts: the smoother boundary
GRID = tuple(Candidate(*pair) for pair in product((1, 10, 100, 1000), (0.01, 0.1, 1, 10)))


class ReferenceRun(PreparedRun):
    """One reference on one scene. Labels of test pixels never enter: of all labels it keeps those of train and val."""

    def __init__(self, config: Dict[str, Any], loaded: LoadedScene, split: Split) -> None:
        self.config, self.split, self.history = config, split, History()
        self._cube = loaded.cube
        labels = loaded.ground_truth.ravel()
        self._train_labels, self._val_labels = labels[split.train], labels[split.val]
        fitted = self._raw(split.train)
        # a band that is constant there becomes zero; its spread may be rounding noise instead of 0
        varies = fitted.min(axis=0) < fitted.max(axis=0)
        self._mean, self._std = fitted.mean(axis=0), np.where(varies, fitted.std(axis=0), np.inf)
        self._classifier: Optional[Any] = None

    def _raw(self, pixels: np.ndarray) -> np.ndarray:
        rows, columns = np.divmod(pixels, self._cube.shape[1])
        return self._cube[rows, columns].astype(np.float64)

    def inputs(self, pixels: np.ndarray) -> np.ndarray:
        """(n, B) float64 standardised spectra of flat pixel indices: all that the classifier is given of them."""
        return (self._raw(pixels) - self._mean) / self._std

    def sees(self, mask: np.ndarray) -> np.ndarray:
        return mask.copy()  # a pixel's own spectrum, no surroundings

    def classify(self, pixels: np.ndarray) -> np.ndarray:
        """(n,) uint8 classes of flat pixel indices, a chunk at a time."""
        result = np.empty(len(pixels), np.uint8)
        for start in range(0, len(pixels), _CHUNK):
            part = pixels[start : start + _CHUNK]
            result[start : start + len(part)] = self._classifier.predict(self.inputs(part))
        return result

    def predict(self) -> np.ndarray:
        height, width = self._cube.shape[:2]
        return self.classify(np.arange(height * width)).reshape(height, width)

    def environment(self) -> Dict[str, Any]:
        threads = max((library["num_threads"] for library in threadpool_info()), default=1)
        return environment.describe("scikit-learn", sklearn.__version__, "cpu", None, threads)

    def results(self) -> Results:
        begun = time.perf_counter()
        prediction = self.predict()
        return Results(
            split=self.split,
            prediction=prediction,
            history=self.history,
            decisions=self.decisions(),
            selection=self.selection(),
            environment=self.environment(),
            times={
                "train_s": sum(self.history.seconds),
                "step_s": self.history.median_step(),
                "evaluation_s": time.perf_counter() - begun,
            },
            memory={"peak_rss_mb": environment.peak_memory_mb(), "peak_gpu_mb": None},
        )

    def decisions(self) -> Dict[str, Any]:
        """What was decided, in words, as the record holds it."""
        return {"split": "disjoint", "standardisation": "train", "fitted_on": "train"}

    def selection(self) -> Dict[str, Any]:
        """Which fit was kept, counted from 1, and on what."""
        return {"step": 1, "on": "nothing: there is one fit"}


class NearestNeighbour(ReferenceRun):
    """The class of the training pixel whose spectrum is nearest in Euclidean distance."""

    def train(self, folder: Any) -> bool:
        begun = time.perf_counter()
        # brute force: trees do not help in hundreds of bands
        self._classifier = KNeighborsClassifier(n_neighbors=1, algorithm="brute")
        self._classifier.fit(self.inputs(self.split.train), self._train_labels)
        self.history.add_step(time.perf_counter() - begun)
        self.history.add_entry(1)
        self.last_weights = self.weights()
        return True

    def weights(self) -> Dict[str, np.ndarray]:
        return {"spectra": self.inputs(self.split.train), "labels": self._train_labels.copy()}

    def selection_state(self) -> Optional[Dict[str, Any]]:
        return None


class SupportVectors(ReferenceRun):
    """One SVM per candidate of the grid, fitted on the training pixels; the one that validates best is kept."""

    def __init__(self, config: Dict[str, Any], loaded: LoadedScene, split: Split) -> None:
        if not split.val.size:
            raise SplitError("%s: the split has no validation pixel to choose C and gamma on." % loaded.scene.slug)
        super().__init__(config, loaded, split)
        self._grid = [Candidate(*pair) for pair in config["grid"]]
        self._kept = 0  # candidate, counted from 1

    def train(self, folder: Any) -> bool:
        train, val = self.inputs(self.split.train), self.inputs(self.split.val)
        reasons: List[str] = []
        best = -1.0
        with stop_on_signals(reasons.append):
            for step, candidate in enumerate(self._grid, start=1):
                begun = time.perf_counter()
                machine = SVC(C=candidate.penalty, kernel="rbf", gamma=candidate.gamma_bands / train.shape[1])
                machine.fit(train, self._train_labels)
                accuracy = float(np.mean(machine.predict(val) == self._val_labels))
                self.history.add_step(time.perf_counter() - begun)
                self.history.add_entry(step, C=candidate.penalty, gamma_bands=candidate.gamma_bands, val_oa=accuracy)
                if accuracy > best:
                    best, self._kept, self._classifier = accuracy, step, machine
                if reasons:
                    return False
        self.last_weights = _weights_of(machine)
        return True

    def weights(self) -> Dict[str, np.ndarray]:
        return _weights_of(self._classifier)

    def selection_state(self) -> Optional[Dict[str, Any]]:
        return {"kept": self._kept, "val_oa": [entry["val_oa"] for entry in self.history.entries]}

    def decisions(self) -> Dict[str, Any]:
        grid = {
            "C": sorted({candidate.penalty for candidate in self._grid}),
            "gamma_times_bands": sorted({candidate.gamma_bands for candidate in self._grid}),
        }
        kept = dict(self._grid[self._kept - 1]._asdict())
        return dict(super().decisions(), kernel="rbf", grid=grid, selected_on="validation", selected=kept)

    def selection(self) -> Dict[str, Any]:
        return {
            "step": self._kept,
            "last_step": len(self._grid),
            "on": "overall accuracy of %d validation pixels" % self.split.val.size,
        }


def _weights_of(machine: SVC) -> Dict[str, np.ndarray]:
    names = ("support_", "support_vectors_", "dual_coef_", "intercept_")
    return {name: np.array(getattr(machine, name)) for name in names}


METHODS = {"svm": SupportVectors, "1nn": NearestNeighbour}


def config_of(method: str, scene: str) -> Dict[str, Any]:
    """The configuration of a reference on a scene, as run directory and record hold it."""
    config = {"scene": scene, "split": dict(DisjointRule()._asdict()), "standardisation": "train"}
    return dict(config, grid=[list(candidate) for candidate in GRID]) if method == "svm" else config


def reproduce(method: str, request: Request) -> Outcome:
    """One run of `svm` or `1nn` on the scene `request.experiment`.

    Raises: UnknownNameError, SettingsError, SplitError, RunDirectoryError, and what `load_scene` raises.
    """
    check_name("reference", method, METHODS)
    check_name("protocol", request.protocol, PROTOCOLS)
    if request.overrides or request.iterations is not None:
        raise SettingsError("%s: a reference has one configuration; it takes neither --set nor --iters." % method)
    loaded = load_scene(request.experiment, request.data, request.unverified)
    config = config_of(method, loaded.scene.slug)

    def prepare() -> ReferenceRun:
        return METHODS[method](config, loaded, common_split(loaded, request.seed))

    return reproduce_once(method, request, config, config, loaded, prepare)
