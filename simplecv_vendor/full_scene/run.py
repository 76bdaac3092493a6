"""One run of a full-scene network: scene → split → mini-batches → training → whole-scene prediction → results."""

import contextlib
import functools
import logging
import random
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Type

import numpy as np
import torch

from full_scene.encoder_decoder import EncoderDecoder
from full_scene.prediction import predict_scene
from full_scene.sampling import MinibatchStream
from full_scene.tiles import check_tile, predict_tiled
from shared_data import environment
from shared_data.allocator import keep_freed_memory
from shared_data.audit import Audit
from shared_data.audit.run import Subject, audit_run
from shared_data.configs import load_config
from shared_data.errors import settings_of
from shared_data.full_scene import pad_labels, padded_shape, standardise_and_pad
from shared_data.history import History
from shared_data.interrupts import stop_on_signals
from shared_data.mapped import is_mapped, temporary_array
from shared_data.paper_cli import Outcome, Request
from shared_data.progress import TrainingProgress
from shared_data.reproduction import PreparedRun, reproduce_once
from shared_data.run_outputs import Results, write_prediction
from shared_data.scene import LoadedScene, load_scene
from shared_data.splits import Split
from simplecv.core.checkpoint_file import load_model_state_dict_from_ckpt
from simplecv.core.config import AttrDict
from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher
from simplecv.errors import CheckpointError
from simplecv.module.model_builder import make_model
from simplecv.opt.learning_rate import make_learningrate
from simplecv.opt.optimizer import make_optimizer
from simplecv.util.device import device_name, select_device

_SHOWN_EVERY = 5  # steps between two numbers beside the progress bar


def seed_everything(seed: int) -> None:
    """Python, numpy and torch (all devices) from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class FullSceneRun(PreparedRun):
    """Everything one run builds before its first step. A paper derives from it and fills in what is abstract.

    config: of `resolve`; a key that nothing reads is an error.
    """

    PAPER: str  # slug
    CONFIGS: Path  # folder of the configurations

    def __init__(self, request: Request, config: AttrDict, loaded: LoadedScene, split: Split) -> None:
        if loaded.scene.slug != config.scene:
            raise ValueError("the configuration is for %s, the scene is %s" % (config.scene, loaded.scene.slug))
        self.request, self.config, self.loaded, self.split = request, config, loaded, split
        self.device = select_device(request.device)
        self.decisions = self.decide()
        seed_everything(request.seed)
        network = make_model(config["model"], strict=True).to(self.device)
        visible = self.visible_labels()
        self.model = self.trainable(network, visible)
        scene = self._standardised()
        self.x = torch.from_numpy(scene)[None]
        if request.tile:
            self.scene = scene  # stays where it is, maybe in a file; its tiles go to the device
        else:
            self.x = self.x.to(self.device)
        self.stream = self._stream(visible)
        self.schedule = make_learningrate(config["learning_rate"])
        config["optimizer"]["params"]["lr"] = self.schedule.base_lr
        self.optimizer = make_optimizer(config["optimizer"], self.model.parameters())
        self.history = History()
        # the common split takes nothing from the configuration
        unused = ("split",) if self.decisions.split == "disjoint" else ()
        config.check_unread(strict=True, ignore=("train", *unused))

    # what a paper brings

    @classmethod
    @abstractmethod
    def check_config(cls, config: Dict[str, Any], file: str) -> None:
        """Check the keys and values of a configuration; nothing has been read or written yet. file: its name.

        Raises: UnknownNameError, SettingsError.
        """

    @classmethod
    @abstractmethod
    def draw_split(cls, config: AttrDict, loaded: LoadedScene, request: Request) -> Split:
        """Training, validation and test pixels. Raises: SplitError where a class has too few pixels."""

    @abstractmethod
    def decide(self) -> Any:
        """The protocol's decisions, a dataclass or NamedTuple of the paper; two of them are read here.

        split: how the pixels are drawn, as the `release` does it or `disjoint`. normalisation: pixels whose spectra
        give the band means and deviations, `scene` or `train`.
        """

    @abstractmethod
    def decisions_record(self) -> Dict[str, Any]:
        """The decisions as the record holds them."""

    @abstractmethod
    def trainable(self, network: EncoderDecoder, labels: np.ndarray) -> SingleDevice:
        """The network with its loss: called with (x, y, w), it returns losses and `sampled_accuracy`.

        labels: the (H, W) label map that training may see.
        """

    @abstractmethod
    def after_epoch(self, step: int, launcher: Launcher) -> Dict[str, float]:
        """Evaluate as the protocol says; the numbers join the epoch's entry of the history."""

    @abstractmethod
    def selection(self) -> Dict[str, Any]:
        """Which step's weights were kept and on what, as the record holds it."""

    def visible_labels(self) -> np.ndarray:
        """The (H, W) label map that training may see: labels of training pixels alone."""
        truth = self.loaded.ground_truth
        visible = np.zeros_like(truth)
        visible.ravel()[self.split.train] = truth.ravel()[self.split.train]
        return visible

    def extra_metrics(self) -> Dict[str, float]:
        """Further numbers for the record, taken before the final prediction; may load the weights that were kept."""
        return {}

    def stored(self) -> Dict[str, Any]:
        """Objects with a state, by name, that checkpoints hold beside network, optimizer and history."""
        return {}

    def is_over(self) -> bool:
        """Whether training ended before its last step, for another reason than a signal."""
        return False

    # what all share

    def _standardised(self) -> np.ndarray:
        """(B, H', W') the scene as the network sees it."""
        fitted = {"scene": None, "train": self.split.train}[self.decisions.normalisation]
        cube, stride, out = self.loaded.cube, EncoderDecoder.STRIDE, None
        if self.request.tile and is_mapped(cube):
            out = temporary_array(padded_shape(cube.shape, stride), np.dtype(np.float32))
        return standardise_and_pad(cube, stride, fitted, out)

    def _stream(self, visible: np.ndarray) -> MinibatchStream:
        train = np.zeros(visible.shape, np.uint8)
        train.ravel()[self.split.train] = 1
        settings = self.config.minibatch
        return MinibatchStream(
            self.x,
            torch.from_numpy(pad_labels(visible, EncoderDecoder.STRIDE))[None].to(self.device),
            pad_labels(train, EncoderDecoder.STRIDE) > 0,
            settings.per_class or None,
            settings.images,
            self.request.seed,
        )

    @property
    def total_steps(self) -> int:
        return self.config.train.num_iters

    def predict(self) -> np.ndarray:
        """(H, W) uint8 classes of the whole scene."""
        height, width = self.loaded.ground_truth.shape
        if self.request.tile:
            return predict_tiled(self.model.module, self.scene, height, width, self.request.tile)
        return predict_scene(self.model.module, self.x, height, width)

    def weights(self) -> Dict[str, np.ndarray]:
        state = self.model.module.state_dict()
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}

    def inputs(self, pixels: np.ndarray) -> np.ndarray:
        height, width = self.loaded.ground_truth.shape
        scene = self.x[0, :, :height, :width].cpu().numpy()
        return scene.reshape(len(scene), -1)[:, pixels].T

    def sees(self, mask: np.ndarray) -> np.ndarray:
        # group normalisation and attention take their means over the whole image
        return np.full(mask.shape, mask.any())

    def selection_state(self) -> Optional[Dict[str, Any]]:
        return None

    def accuracy(self, prediction: np.ndarray, pixels: np.ndarray) -> float:
        """Overall accuracy of a (H, W) prediction on flat pixel indices."""
        return float((prediction.ravel()[pixels] == self.loaded.ground_truth.ravel()[pixels]).mean())

    def train(self, folder: Path) -> bool:
        """Train from the newest checkpoint in the folder to the end; False where a signal stopped it."""
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # as in the releases
            torch.cuda.reset_peak_memory_stats(self.device)
        launcher = Launcher(str(folder / "checkpoints"), self.model, self.optimizer, self.schedule)
        with contextlib.closing(launcher):  # a log file left open would tell of a full disk when Python ends
            self._train_by(launcher, folder)
        self.last_weights = self.weights()
        return launcher.stop_reason is None or self.is_over()

    def _train_by(self, launcher: Launcher, folder: Path) -> None:
        launcher.logger.add_file(folder / "log.txt")
        launcher.checkpoint.register("history", self.history)
        for name, part in self.stored().items():
            launcher.checkpoint.register(name, part)
        launcher.init()
        with TrainingProgress(self.total_steps, launcher.checkpoint.global_step) as progress:
            if progress.visible:
                launcher.logger.console_level(logging.WARNING)
            self._observe(launcher, progress)
            with stop_on_signals(launcher.request_stop):
                if not self.is_over():
                    launcher.train_by_config(self.stream, self.config["train"], strict=True)

    def _observe(self, launcher: Launcher, progress: TrainingProgress) -> None:
        latest: Dict[str, Any] = {}

        def after_step(_launcher: Launcher, info: Dict[str, Any]) -> None:
            latest.update(info)
            self.history.add_step(info["seconds"] + self._wait_for_device())
            shown = {}
            if progress.visible and info["step"] % _SHOWN_EVERY == 0:  # reading a number waits for the device
                shown = {
                    "loss": "%.4f" % float(info["losses"]["total_loss"]),
                    "lr": "%.2e" % info["lr"],
                    "train_acc": "%.1f%%" % (100 * float(info["metrics"]["sampled_accuracy"])),
                }
            progress.update(**shown)

        def after_epoch(_launcher: Launcher, epoch: int) -> None:
            numbers = {
                "loss": float(latest["losses"]["total_loss"]),
                "lr": latest["lr"],
                "sampled_train_accuracy": float(latest["metrics"]["sampled_accuracy"]),
            }
            numbers.update(self.after_epoch(latest["step"], launcher))
            self.history.add_entry(latest["step"], **numbers)

        launcher.add_step_callback(after_step)
        launcher.add_epoch_callback(after_epoch)

    def _wait_for_device(self) -> float:
        """Seconds until a GPU has done what it was given; a step's time is not known before."""
        start = time.perf_counter()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - start

    def environment(self) -> Dict[str, Any]:
        return environment.describe(
            "PyTorch", torch.__version__, str(self.device), device_name(self.device), torch.get_num_threads()
        )

    def results(self) -> Results:
        """Predict with the weights that were kept; what was measured on the way."""
        extra_metrics = self.extra_metrics()
        start = time.perf_counter()
        prediction = self.predict()
        evaluation_s = time.perf_counter() - start
        cuda = self.device.type == "cuda"
        return Results(
            split=self.split,
            prediction=prediction,
            history=self.history,
            decisions=self.decisions_record(),
            selection=self.selection(),
            environment=self.environment(),
            times={
                "train_s": sum(self.history.seconds),
                "step_s": self.history.median_step(),
                "evaluation_s": evaluation_s,
            },
            memory={
                "peak_rss_mb": environment.peak_memory_mb(),
                "peak_gpu_mb": torch.cuda.max_memory_allocated(self.device) / 1e6 if cuda else None,
            },
            extra_metrics=extra_metrics,
        )


def resolve(kind: Type[FullSceneRun], request: Request) -> Tuple[AttrDict, LoadedScene]:
    """The scene, and the configuration with the request's overrides and what the scene adds to it.

    Raises: UnknownNameError for an unknown experiment, key or name; SettingsError for a value that no configuration
    may have; SceneNotFoundError.
    """
    settings = load_config(kind.CONFIGS, request.experiment, request.overrides)
    kind.check_config(settings, request.experiment + ".toml")
    config = AttrDict.from_dict(settings)
    if request.iterations is not None:
        config["train"]["num_iters"] = request.iterations
    loaded = load_scene(config.scene, request.data, request.unverified)
    _add_sizes(config, loaded)
    return config, loaded


def _add_sizes(config: Dict[str, Any], loaded: LoadedScene) -> None:
    config["model"]["params"].update(in_channels=loaded.scene.bands, num_classes=loaded.scene.num_classes)


def subject(kind: Type[FullSceneRun], request: Request) -> Subject:
    """The run of a request for the audit. Raises: as `reproduce`."""
    config, loaded = resolve(kind, request)

    def prepare(altered: LoadedScene) -> FullSceneRun:
        own = AttrDict.from_dict(config.to_dict())  # a run writes into its configuration
        return kind(request, own, altered, kind.draw_split(own, loaded, request))

    return Subject(config.to_dict(), loaded, kind.draw_split(config, loaded, request), prepare)


def audit(kind: Type[FullSceneRun], request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Find out what reaches training; see `audit_run`."""
    return audit_run(kind.PAPER, functools.partial(subject, kind), request, kept_record)


def reproduce(kind: Type[FullSceneRun], request: Request) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Raises: SharedDataError and SimpleCVError, with a sentence for the user.
    """
    config, loaded = resolve(kind, request)
    packaged = load_config(kind.CONFIGS, request.experiment)
    _add_sizes(packaged, loaded)
    keep_freed_memory()

    def prepare() -> FullSceneRun:
        return kind(request, config, loaded, kind.draw_split(config, loaded, request))

    return reproduce_once(kind.PAPER, request, config.to_dict(), packaged, loaded, prepare)


def predict(kind: Type[FullSceneRun], request: Request, weights: Path) -> Outcome:
    """Classify a scene with stored weights and draw it beside the request's split.

    Checkpoints of the release load too. Writes results/<paper>/<experiment>/predictions/<name of the weights>/.
    Raises: SettingsError for tiles of a side that the network cannot take; CheckpointError.
    """
    if request.tile:
        with settings_of("--tile"):
            check_tile(request.tile)
    config, loaded = resolve(kind, request)
    run = kind(request, config, loaded, kind.draw_split(config, loaded, request))
    try:
        run.model.module.load_state_dict(load_model_state_dict_from_ckpt(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            "%s does not fit the network of %s: %s" % (weights, request.experiment, reason)
        ) from error
    folder = request.out / kind.PAPER / request.experiment / "predictions" / weights.stem
    title = "%s · %s · %s" % (kind.PAPER.upper(), loaded.scene.title, weights.name)
    write_prediction(folder, run.predict(), loaded, run.split, title)
    return Outcome(folder, None)
