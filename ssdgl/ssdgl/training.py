"""One run: scene → split → mini-batches → training → whole-scene prediction → metrics → record and maps."""

import logging
import random
import time
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
import torch

from shared_data import environment
from shared_data.allocator import keep_freed_memory
from shared_data.configs import load_config
from shared_data.errors import RunDirectoryError
from shared_data.full_scene import pad_labels, standardise_and_pad
from shared_data.history import History
from shared_data.interrupts import stop_on_signals
from shared_data.paper_cli import Outcome, Request, run_directory_of
from shared_data.progress import TrainingProgress
from shared_data.run_directory import RunDirectory
from shared_data.run_outputs import finish_run, write_prediction
from shared_data.scene import LoadedScene, load_scene
from shared_data.splits import Split, draw_per_class, training_counts
from simplecv.core.checkpoint_file import load_model_state_dict_from_ckpt
from simplecv.core.config import AttrDict
from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher
from simplecv.errors import CheckpointError
from simplecv.module.model_builder import make_model
from simplecv.opt.learning_rate import make_learningrate
from simplecv.opt.optimizer import make_optimizer
from simplecv.util.device import device_name, select_device
from ssdgl.decisions import Decisions, as_dict, decide
from ssdgl.loss import OBJECTIVES, effective_number_weights, evaluate_objective
from ssdgl.network import SSDGL
from ssdgl.prediction import predict_scene
from ssdgl.sampling import MinibatchStream

PAPER = "ssdgl"
_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout
_SHOWN_EVERY = 5  # steps between two numbers beside the progress bar


class Trainable(SingleDevice):
    """The network with its loss: what the trainer calls. The network is `.module`, as under DataParallel."""

    def __init__(self, network: SSDGL, loss: str, class_weights: torch.Tensor) -> None:
        super().__init__(network)
        self.objective = OBJECTIVES[loss]
        # not a buffer: official checkpoints do not hold it
        self.class_weights = class_weights

    def forward(self, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> Dict[str, torch.Tensor]:
        """Loss and accuracy on the sampled pixels of one mini-batch."""
        loss, logits = evaluate_objective(self.module, self.objective, x, y, w, self.class_weights)
        sampled = w > 0
        correct = logits.detach().argmax(dim=1)[sampled] + 1 == y[sampled]
        return {"cls_loss": loss, "sampled_accuracy": correct.float().mean()}


def resolve_config(request: Request) -> AttrDict:
    """The experiment's configuration with the request's overrides, the seed and the iterations.

    Raises: UnknownNameError for an unknown experiment or overridden key.
    """
    config = AttrDict.from_dict(load_config(CONFIGS, request.experiment, request.overrides))
    if request.iterations is not None:
        config["train"]["num_iters"] = request.iterations
    return config


def modifications(request: Request) -> Tuple[str, ...]:
    """Configuration keys that the request changes: such a run is no reproduction."""
    changed = tuple(override.partition("=")[0].strip() for override in request.overrides)
    return changed + (("train.num_iters",) if request.iterations is not None else ())


def draw_split(config: AttrDict, loaded: LoadedScene, seed: int) -> Split:
    """The release's class-wise draw. Raises: SplitError where a class has too few pixels."""
    counts = training_counts(loaded.ground_truth, config.split.ratio, config.split.minimum, loaded.scene.class_names)
    return draw_per_class(loaded.ground_truth, counts, seed)


def training_labels(decisions: Decisions, ground_truth: np.ndarray, split: Split) -> np.ndarray:
    """The label map that training may see: under `train` every test label is gone from it."""
    if decisions.training_labels == "train and test":
        return ground_truth
    visible = np.zeros_like(ground_truth)
    visible.ravel()[split.train] = ground_truth.ravel()[split.train]
    return visible


def class_weights(config: AttrDict, decisions: Decisions, labels: np.ndarray, num_classes: int) -> torch.Tensor:
    """Effective-number weights of the label map that training sees, or of the counts the configuration lists."""
    counts = config.get("class_counts") or np.bincount(labels.ravel(), minlength=num_classes + 1)[1:]
    if decisions.class_counts == "none":
        return torch.ones(num_classes)
    return effective_number_weights(counts)


def seed_everything(seed: int) -> None:
    """Python, numpy and torch (all devices) from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class Run:
    """Everything one run builds before its first step; `train` and `predict` use it."""

    def __init__(self, request: Request, config: AttrDict, loaded: LoadedScene, split: Split) -> None:
        if loaded.scene.slug != config.scene:
            raise ValueError("the configuration is for %s, the scene is %s" % (config.scene, loaded.scene.slug))
        self.request, self.config, self.loaded, self.split = request, config, loaded, split
        self.device = select_device(request.device)
        config["model"]["params"].update(in_channels=loaded.scene.bands, num_classes=loaded.scene.num_classes)
        self.decisions = decide(request.protocol, config.model.params.get("variant", "v2022"))
        seed_everything(request.seed)
        network = make_model(config["model"], strict=True).to(self.device)
        visible = training_labels(self.decisions, loaded.ground_truth, self.split)
        weights = class_weights(config, self.decisions, visible, loaded.scene.num_classes)
        self.model = Trainable(network, self.decisions.loss, weights.to(self.device))
        self.x = torch.from_numpy(standardise_and_pad(loaded.cube, SSDGL.STRIDE))[None].to(self.device)
        self.stream = self._stream(visible)
        schedule = make_learningrate(config["learning_rate"])
        config["optimizer"]["params"]["lr"] = schedule.base_lr
        self.optimizer = make_optimizer(config["optimizer"], self.model.parameters())
        self.schedule = schedule
        self.history = History()
        config.check_unread(strict=True, ignore=("train",))

    def _stream(self, visible: np.ndarray) -> MinibatchStream:
        train = np.zeros(visible.shape, np.uint8)
        train.ravel()[self.split.train] = 1
        settings = self.config.minibatch
        return MinibatchStream(
            self.x,
            torch.from_numpy(pad_labels(visible, SSDGL.STRIDE))[None].to(self.device),
            pad_labels(train, SSDGL.STRIDE) > 0,
            settings.per_class or None,
            settings.images,
            self.request.seed,
        )

    @property
    def total_steps(self) -> int:
        return self.config.train.num_iters

    def predict(self) -> np.ndarray:
        """(H, W) uint8 classes of the whole scene."""
        return predict_scene(self.model.module, self.x, *self.loaded.ground_truth.shape)

    def train(self, folder: Path) -> bool:
        """Train from the newest checkpoint in the folder to the end; False where a signal stopped it.

        Raises: RunDirectoryError where a checkpoint or a log cannot be written, for example on a full disk.
        """
        try:
            return self._train(folder)
        except OSError as error:
            raise RunDirectoryError(
                "%s cannot be written: %s. The checkpoints written before are intact; the same command resumes the run."
                % (folder, error.strerror or error)
            ) from error

    def _train(self, folder: Path) -> bool:
        launcher = Launcher(str(folder / "checkpoints"), self.model, self.optimizer, self.schedule)
        launcher.logger.add_file(folder / "log.txt")
        launcher.checkpoint.register("history", self.history)
        launcher.init()
        with TrainingProgress(self.total_steps, launcher.checkpoint.global_step) as progress:
            if progress.visible:
                launcher.logger.console_level(logging.WARNING)
            self._observe(launcher, progress)
            with stop_on_signals(launcher.request_stop):
                launcher.train_by_config(self.stream, self.config["train"], strict=True)
        launcher.close()
        return launcher.stop_reason is None

    def _observe(self, launcher: Launcher, progress: TrainingProgress) -> None:
        latest: Dict[str, Any] = {}

        def after_step(_launcher: Launcher, info: Dict[str, Any]) -> None:
            latest.update(info)
            self.history.add_step(info["seconds"] + self._wait_for_device())
            shown = {}
            if progress.visible and info["step"] % _SHOWN_EVERY == 0:  # reading a number waits for the device
                shown = {
                    "loss": "%.4f" % float(info["losses"]["cls_loss"]),
                    "lr": "%.2e" % info["lr"],
                    "train_acc": "%.1f%%" % (100 * float(info["metrics"]["sampled_accuracy"])),
                }
            progress.update(**shown)

        def after_epoch(_launcher: Launcher, epoch: int) -> None:
            numbers = {
                "loss": float(latest["losses"]["cls_loss"]),
                "lr": latest["lr"],
                "sampled_train_accuracy": float(latest["metrics"]["sampled_accuracy"]),
            }
            if self.decisions.accuracy_shown == "test":
                numbers["test_oa"] = self._test_accuracy()
                launcher.logger.eval_log({"test_oa": numbers["test_oa"]}, latest["step"])
            self.history.add_entry(latest["step"], **numbers)

        launcher.add_step_callback(after_step)
        launcher.add_epoch_callback(after_epoch)

    def _wait_for_device(self) -> float:
        """Seconds until a GPU has done what it was given; a step's time is not known before."""
        start = time.perf_counter()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - start

    def _test_accuracy(self) -> float:
        """OA on the test pixels, which the release computes after every epoch; nothing is selected by it."""
        truth = self.loaded.ground_truth.ravel()[self.split.test]
        return float((self.predict().ravel()[self.split.test] == truth).mean())


def settings_of(config: AttrDict, request: Request, loaded: LoadedScene) -> Dict[str, Any]:
    """What decides the result of a run, for the check that a directory is resumed with the same."""
    return {
        "config": config.to_dict(),
        "protocol": request.protocol,
        "seed": request.seed,
        "data": {file.name: file.sha256 for file in loaded.files},
    }


def reproduce(request: Request) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Raises: SharedDataError and SimpleCVError, with a sentence for the user.
    """
    config = resolve_config(request)
    loaded = load_scene(config.scene, request.data, request.unverified)
    folder = run_directory_of(PAPER, request)
    settings = settings_of(config, request, loaded)
    with RunDirectory(folder, settings, request.force) as directory:
        finished = directory.record()
        if finished is not None:
            print("%s is finished already; --force or FORCE=1 runs it again" % folder)
            return Outcome(folder, finished)
        keep_freed_memory()
        run = Run(request, config, loaded, draw_split(config, loaded, request.seed))
        if run.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # as in the release
            torch.cuda.reset_peak_memory_stats(run.device)
        directory.begin()
        if not run.train(folder):
            return Outcome(folder, None)
        return Outcome(folder, _finish(run, directory))


def _finish(run: Run, directory: RunDirectory) -> Dict[str, Any]:
    start = time.perf_counter()
    prediction = run.predict()
    evaluation_s = time.perf_counter() - start
    cuda = run.device.type == "cuda"
    return finish_run(
        run=directory,
        paper=PAPER,
        request=run.request,
        loaded=run.loaded,
        split=run.split,
        prediction=prediction,
        history=run.history,
        config=run.config.to_dict(),
        decisions=as_dict(run.decisions),
        selection={"step": run.total_steps, "on": "nothing: the last step's weights are kept"},
        environment=environment.describe("PyTorch", torch.__version__, device_name(run.device)),
        times={
            "train_s": sum(run.history.seconds),
            "step_s": run.history.median_step(),
            "evaluation_s": evaluation_s,
        },
        memory={
            "peak_rss_mb": environment.peak_memory_mb(),
            "peak_gpu_mb": torch.cuda.max_memory_allocated(run.device) / 1e6 if cuda else None,
        },
        revision=environment.revision(),
        modified=modifications(run.request),
    )


def predict(request: Request, weights: Path) -> Outcome:
    """Classify a scene with stored weights and evaluate on the test pixels of the request's split.

    Checkpoints of the release load too. Writes results/<paper>/<experiment>/predictions/<name of the weights>/.
    """
    config = resolve_config(request)
    loaded = load_scene(config.scene, request.data, request.unverified)
    run = Run(request, config, loaded, draw_split(config, loaded, request.seed))
    try:
        run.model.module.load_state_dict(load_model_state_dict_from_ckpt(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            "%s does not fit the network of %s: %s" % (weights, request.experiment, reason)
        ) from error
    prediction = run.predict()
    folder = request.out / PAPER / request.experiment / "predictions" / weights.stem
    title = "SSDGL · %s · %s" % (run.loaded.scene.title, weights.name)
    write_prediction(folder, prediction, run.loaded, run.split, title)
    return Outcome(folder, None)
