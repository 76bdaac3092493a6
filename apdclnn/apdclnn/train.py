"""One run: scene → split → components and Gabor features → patches → epochs → every pixel's class → results."""

import random
import time
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np

from apdclnn import experiments, preprocessing
from apdclnn.decisions import as_dict, decide
from apdclnn.device import device_name, select_device
from apdclnn.estimate import estimate
from apdclnn.gabor import bank, pixels_of_sigma, reach
from apdclnn.model import Model
from apdclnn.prediction import BATCH, predict_scene
from apdclnn.sampling import MinibatchStream, draw_split, targets_of
from apdclnn.tf_stack import FRAMEWORK, FRAMEWORK_VERSION
from shared_data.audit import Audit
from shared_data.audit.run import Subject, audit_run
from shared_data.errors import settings_of
from shared_data.runs import environment, npz_checkpoint
from shared_data.runs.epoch_run import EpochRun, Validated
from shared_data.runs.log import RunLog
from shared_data.runs.model_file import as_content, describe_model
from shared_data.runs.outputs import Results
from shared_data.runs.reproduce import reproduce_once
from shared_data.runs.request import Outcome, Request
from shared_data.runs.selection import BestStep
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.disjoint import common_split, near
from shared_data.splits.draws import Split

PAPER = "apdclnn"


def seed_everything(seed: int) -> None:
    """Python and numpy; TensorFlow's seed belongs to the model's graph."""
    random.seed(seed)
    np.random.seed(seed)


def gabor_cache(request: Request) -> Path:
    """The folder of a request's Gabor features, beside its runs."""
    return request.out / PAPER / "gabor"


def model_of(
    features: preprocessing.Features, config: Dict[str, Any], num_classes: int, device: str, seed: int
) -> Model:
    """The network of a configuration on a scene's features, with fresh weights. Raises: ValueError; see `Model`."""
    return Model(
        features.components, features.gabor, num_classes, config["patch"]["side"], experiments.structure(config),
        config["optimizer"]["lr"], device, seed,
    )  # fmt: skip


class APDCLNNRun(EpochRun):
    """Everything a run builds before its first step.

    config: of `experiments.load`. split: its training pixels train, its validation pixels choose the weights; the
    labels of its test pixels are read in `results`, for the first time.
    Raises: SettingsError where sizes do not fit; DeviceError.
    """

    format = npz_checkpoint.NPZ

    def __init__(self, request: Request, config: Dict[str, Any], loaded: LoadedScene, split: Split) -> None:
        super().__init__(config["train"])
        self.request, self.config, self.loaded, self.split = request, config, loaded, split
        self.decisions = decide(request.protocol)
        self.device = select_device(request.device)
        seed_everything(request.seed)
        with settings_of(request.experiment):
            self.model = self._build_model()
        truth = loaded.ground_truth
        self.stream = MinibatchStream(truth, split.train, config["train"]["batch"], request.seed)
        self._val_targets = targets_of(truth, split.val)
        self.best = BestStep(0)
        self.kept: Dict[str, np.ndarray] = {}  # weights of the best epoch

    @property
    def _fitted(self) -> Optional[np.ndarray]:
        """Flat indices of the pixels whose spectra preprocessing learns from; None for the whole scene."""
        return {"scene": None, "train": self.split.train}[self.decisions.fitted]

    def _build_model(self) -> Model:
        self.preprocessing, self._features = preprocessing.fit(
            self.loaded.cube, self.config, self._fitted, gabor_cache(self.request)
        )
        classes = self.loaded.scene.num_classes
        return model_of(self._features, self.config, classes, self.device, self.request.seed)

    # training

    def train(self, folder: Path) -> bool:
        """As `EpochRun.train`, and before it what the run will take."""
        batch = self.split.train[: self.config["train"]["batch"]]
        targets = targets_of(self.loaded.ground_truth, batch)
        print(estimate(self.model, batch, targets, self.total_steps, self.loaded.ground_truth.size), flush=True)
        return super().train(folder)

    def begin_epoch(self) -> None:
        pass

    def train_on(self, batch: Tuple[np.ndarray, np.ndarray]) -> Tuple[float, int]:
        """One optimizer step; the loss and the number of patches."""
        return self.model.train_on(*batch), len(batch[0])

    def end_epoch(self) -> Validated:
        numbers = self._validate()
        if self.best.offer(self.epoch, -numbers["validation_loss"]):
            self.kept = self.model.weights()
        sentence = "validation loss %.4f, validation OA %.2f %%"
        return Validated(numbers, sentence % (numbers["validation_loss"], 100 * numbers["validation_oa"]))

    def _validate(self) -> Dict[str, float]:
        loss_sum, right = 0.0, 0
        pixels, targets = self.split.val, self._val_targets
        for start in range(0, len(pixels), BATCH):
            part = slice(start, start + BATCH)
            loss, logits = self.model.loss_and_logits(pixels[part], targets[part])
            loss_sum += float(loss) * len(logits)
            right += int((logits.argmax(axis=1) == targets[part]).sum())
        return {"validation_loss": loss_sum / len(pixels), "validation_oa": right / len(pixels)}

    @property
    def exhausted(self) -> bool:
        return self.best.exhausted

    def use_selected(self, folder: Path, log: RunLog) -> None:
        """Give the network the weights of the best epoch."""
        if self.kept:  # nothing is, where the loss never was a number
            self.model.set_numbers(self.kept)
        log.info("the weights of epoch %d are used", self.best.step or self.epoch)
        arrays = self.preprocessing.arrays()
        described = describe_model(PAPER, self.request, self.config, self.loaded, self.split, arrays)
        npz_checkpoint.write(folder / "selected.npz", dict(as_content(described), weights=self.model.weights()))

    def state(self) -> Dict[str, Any]:
        return {"numbers": self.model.numbers(), "kept": self.kept, "best": self.best.state_dict()}

    def restore(self, state: Dict[str, Any]) -> None:
        self.model.set_numbers(state["numbers"])
        self.kept = state["kept"]
        self.best.load_state_dict(state["best"])

    # after training

    def predict(self) -> np.ndarray:
        """(H, W) uint8 classes of every pixel of the scene."""
        return predict_scene(self.model, *self.loaded.ground_truth.shape)

    def weights(self) -> Dict[str, np.ndarray]:
        return self.model.weights()

    def inputs(self, pixels: np.ndarray) -> np.ndarray:
        """Components and, where the network has them, Gabor features; these reach over their filter's width."""
        parts = [part.reshape(-1, part.shape[2])[pixels] for part in self._features if part is not None]
        return np.concatenate(parts, axis=1)

    def sees(self, mask: np.ndarray) -> np.ndarray:
        distance, gabor = self.config["patch"]["side"] // 2, self.config["gabor"]
        if self.config["network"]["gabor"]:
            filters = bank(gabor["frequencies"])
            distance += max(reach(pixels_of_sigma(each, gabor["sigma_wavelengths"])) for each in filters)
        return near(mask, distance)

    def selection_state(self) -> Dict[str, Any]:
        return self.best.state_dict()

    def environment(self) -> Dict[str, Any]:
        device = self.device.strip("/").lower()
        threads = environment.tensorflow_threads()
        return environment.describe(FRAMEWORK, FRAMEWORK_VERSION, device, device_name(self.device), threads)

    def results(self) -> Results:
        start = time.perf_counter()
        prediction = self.predict()
        evaluation_s = time.perf_counter() - start
        epoch = self.best.step or self.epoch
        return Results(
            split=self.split,
            prediction=prediction,
            history=self.history,
            decisions=as_dict(self.decisions),
            selection={
                "step": self.history.entries[epoch - 1]["step"],
                "on": "mean loss of %d validation pixels: best epoch" % self.split.val.size,
                "last_step": self.step,
            },
            environment=self.environment(),
            times={
                "train_s": sum(self.history.seconds),
                "step_s": self.history.median_step(),
                "evaluation_s": evaluation_s,
            },
            memory={"peak_rss_mb": environment.peak_memory_mb(), "peak_gpu_mb": None},
        )


def resolve(request: Request) -> Tuple[Dict[str, Any], LoadedScene]:
    """The configuration with the request's changes, and the scene.

    Raises: UnknownNameError, SettingsError; what `load_scene` raises.
    """
    config = experiments.load(request.experiment, request.overrides)
    if request.iterations is not None:
        config["train"]["num_iters"] = request.iterations
    return config, load_scene(config["scene"], request.data, request.unverified)


def split_of(request: Request, config: Dict[str, Any], loaded: LoadedScene) -> Split:
    """The split of a request's seed under its protocol. Raises: SplitError."""
    if decide(request.protocol).split == "disjoint":
        return common_split(loaded, request.seed)
    settings = config["split"]
    return draw_split(
        loaded.ground_truth, settings["ratio"], settings["minimum"], settings["validation"], request.seed,
        loaded.scene.class_names,
    )  # fmt: skip


def prepare(request: Request, config: Dict[str, Any], loaded: LoadedScene, split: Optional[Split] = None) -> APDCLNNRun:
    """The run of a request; its split is drawn from the seed unless one is given. Raises: SplitError; `APDCLNNRun`."""
    return APDCLNNRun(request, config, loaded, split or split_of(request, config, loaded))


def subject(request: Request) -> Subject:
    """The run of a request for the audit. Raises: as `reproduce`."""
    config, loaded = resolve(request)
    split = split_of(request, config, loaded)
    return Subject(config, loaded, split, lambda altered: APDCLNNRun(request, config, altered, split))


def audit(request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Find out what reaches training; see `shared_data.audit.run`."""
    return audit_run(PAPER, subject, request, kept_record)


def reproduce(request: Request) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Raises: SharedDataError with a sentence for the user.
    """
    config, loaded = resolve(request)
    packaged = experiments.load(request.experiment)
    return reproduce_once(PAPER, request, config, packaged, loaded, lambda: prepare(request, config, loaded))
