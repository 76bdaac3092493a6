"""The estimator interface of a method: `fit`, `predict`, `save`, `load`, and the functions that its callers need
besides.

`reproduce`, `audit`, `predict` and cross-validation call a `Method`; a method never calls them, and never evaluates
itself. Data flow one way: request → configuration and scene → split → labels → fit → prediction → evaluation.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.runs.history import History
from shared_data.runs.model_file import ModelFile
from shared_data.runs.progress import Numbers, Progress
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import LoadedScene, SceneImage
from shared_data.splits.draws import Split
from shared_data.splits.labels import Labels, SealedTruth, Truth, labels_of


class Run:
    """Where one training writes, what it shows, and on which device it computes.

    device: auto, cpu, cuda or cuda:N. shared: a folder for derived data that the method's runs share, such as filtered
    scenes; by default inside the run's folder. title: what its progress is called. verbose: show its log on the
    console, too.
    """

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        shared: Optional[Path] = None,
        on_begin: Optional[Callable[[], None]] = None,
        title: str = "training",
        verbose: bool = False,
    ) -> None:
        self._folder, self.device = Path(folder), device
        self.title, self.verbose = title, verbose
        self.shared = Path(shared) if shared is not None else self._folder / "shared"
        self._on_begin = on_begin

    def begin(self) -> Path:
        """The run's folder. Call it after all input has been checked: nothing is written before. Raises:
        RunDirectoryError where the folder cannot be written."""
        if self._on_begin is not None:
            self._on_begin()
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def progress(self, total: int, done: int, numbers: Numbers) -> Progress:
        """The progress of this training, for the console; arguments as of `Progress`."""
        return Progress(total, done, self.title, numbers, lines=self.verbose)


class Report(NamedTuple):
    """The report of a training, beside its weights.

    selection: entries for the record: `step`, `on`, and further ones of the paper. selection_state: everything that
        determines which step's weights are used, JSON values; None where nothing is selected. last_weights: the weights
        after the last step, by name.
    """

    history: History
    selection: Dict[str, Any]
    selection_state: Optional[Dict[str, Any]]
    last_weights: Dict[str, np.ndarray]


class Further(NamedTuple):
    """A paper's results beside OA, AA and kappa. audit: facts other than metrics: numbers, booleans, texts."""

    metrics: Dict[str, float] = {}
    audit: Dict[str, Any] = {}


class Fitted(ABC):
    """A trained method, of `fit` or `load`.

    model: what predicting needs beside the weights. report: of the training; None for a loaded file. SUFFIX: extension
    of the files that `save` writes. title: what the progress of predictions is called on the console; without one it is
    not shown.
    """

    SUFFIX: str
    model: ModelFile
    report: Optional[Report] = None
    title: str = ""

    def progress(self, total: int, unit: str) -> Progress:
        """The progress of a prediction, for the console. unit: what is counted, such as "batch"."""
        return Progress(total, title=self.title, unit=unit)

    def tile_for(self, _image: SceneImage) -> int:
        """The side of the tiles in which this scene fits into memory; 0 where it does as a whole, and where the method
        works in batches anyway. The choice is printed."""
        return 0

    @abstractmethod
    def predict(self, image: SceneImage, tile: int = 0) -> np.ndarray:
        """(H, W) uint8 classes 1..K of every pixel, labelled or not, of this scene or of another with as many bands.

        tile: side in pixels of the tiles to work in, where the method can; 0 is the whole scene at once.
        """

    @abstractmethod
    def predict_probabilities(self, image: SceneImage, tile: int = 0, out: Optional[np.ndarray] = None) -> np.ndarray:
        """(H, W, K) float16 probabilities of the classes 1..K at every pixel; the largest is that of `predict`'s class.

        out: where to write them, possibly memory-mapped: every block as soon as it is computed.
        Raises: as `predict`; SettingsError for a method that knows none.
        """

    @abstractmethod
    def save(self, path: Path) -> None:
        """Weights and all else that predicting needs, in one file. Raises: OSError where it cannot be written."""

    @abstractmethod
    def weights(self) -> Dict[str, np.ndarray]:
        """Copies of the weights in use, by name."""

    def report_further(self, _image: SceneImage, _truth: Truth, _prediction: np.ndarray) -> Further:
        """The paper's results beside the shared metrics, computed on the opened truth; may complete the report's
        history."""
        return Further()


class Draw(NamedTuple):
    """The pixels of a run.

    plan: further random choices of the method, such as windows; only the method reads it. facts: about the split, for
    the record.
    """

    split: Split
    plan: Any = None
    facts: Dict[str, Any] = {}


def _draw_of_split(split: Split, _loaded: LoadedScene, _configuration: Configuration) -> Draw:
    return Draw(split)


def _labels_of_split(draw: Draw, ground_truth: np.ndarray) -> Labels:
    return labels_of(ground_truth, draw.split)


class Method(NamedTuple):
    """A paper, or a baseline.

    resolve(request, labelled): the request's configuration and scene; whether a scene must have labels. Raises:
        UnknownNameError, SettingsError, what `load_scene` raises.
    scene_of(experiment): slug of an experiment's scene; any other name is returned as it is. Raises: UnknownNameError.
    draw(loaded, configuration, seed): the pixels under one of the paper's own protocols. Raises: SplitError,
        SettingsError.
    draw_of_split(split, loaded, configuration): the same for pixels that the caller gives, under a shared protocol.
    preprocess(image, labels, configuration, seed): the model without weights; its arrays hold the fitted preprocessing.
        labels: None for a scene without. Raises: SettingsError where it needs them, or sizes do not fit.
    fit(image, labels, configuration, seed, run, steps): trains from the newest checkpoint in the run's folder; None
        where a signal stopped it. steps: upper limit of optimizer steps beside the configuration's.
        Raises: SettingsError, DeviceError; OSError where something cannot be written.
    load(path, device, bare): what `save` wrote; bare: gives the model of a file that holds weights alone, such as
        official ones. Raises: CheckpointError, SettingsError.
    inputs(model, image, pixels): (n, ...) what the network is given at flat pixel indices, surroundings left out.
    receptive_field(configuration, mask): (H, W) bool, the pixels whose receptive field holds a pixel of the mask.
    environment(device): of `shared_data.runs.environment.describe`. Raises: DeviceError.
    peak_gpu_mb(device): of this process so far; None on the CPU.
    labels(draw, ground_truth): the labels that training may read, from the scene's ground truth or an altered one:
        `Labels`, or the method's class with the same fields.
    """

    slug: str
    resolve: Callable[..., Tuple[Configuration, LoadedScene]]
    scene_of: Callable[[str], str]
    draw: Callable[[LoadedScene, Configuration, int], Draw]
    preprocess: Callable[[SceneImage, Any, Configuration, int], ModelFile]
    fit: Callable[..., Optional[Fitted]]
    load: Callable[..., Fitted]
    inputs: Callable[[ModelFile, SceneImage, np.ndarray], np.ndarray]
    receptive_field: Callable[[Configuration, np.ndarray], np.ndarray]
    environment: Callable[[str], Dict[str, Any]]
    peak_gpu_mb: Callable[[str], Optional[float]] = lambda _device: None
    labels: Callable[[Draw, np.ndarray], Any] = _labels_of_split
    draw_of_split: Callable[[Split, LoadedScene, Configuration], Draw] = _draw_of_split


def seal(method: Method, configuration: Configuration, draw: Draw, ground_truth: np.ndarray) -> Tuple[Any, SealedTruth]:
    """The labels that training may read, and all labels, sealed.

    ground_truth: (H, W) uint8, of the scene or altered. The labels include the sealed truth where the protocol
    discloses it.
    """
    truth, labels = SealedTruth(ground_truth, draw.split), method.labels(draw, ground_truth)
    return (labels._replace(truth=truth) if configuration.discloses else labels), truth
