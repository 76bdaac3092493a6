"""A run of SSDGL, top to bottom: scene → labels → mini-batches → network with its loss → training → results.

The loop with its optimizer step is `simplecv.core.trainer.Launcher`, as in the release.
"""

import contextlib
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import torch

from shared_data.audit import Audit
from shared_data.audit.run import Subject, audit_run
from shared_data.preprocessing.standardise import band_statistics, pad_labels, standardise_and_pad
from shared_data.runs.allocator import keep_freed_memory
from shared_data.runs.history import History
from shared_data.runs.model_file import describe_model
from shared_data.runs.outputs import Results
from shared_data.runs.progress import TrainingProgress
from shared_data.runs.reproduce import PreparedRun, reproduce_once
from shared_data.runs.request import Outcome, Request
from shared_data.runs.signals import stop_on_signals
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.disjoint import common_split
from shared_data.splits.draws import Split, draw_per_class, training_counts
from simplecv.core.config import AttrDict
from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher
from simplecv.module.model_builder import make_model
from simplecv.opt.learning_rate import make_learningrate
from simplecv.opt.optimizer import make_optimizer
from simplecv.util.device import select_device
from ssdgl.config import packaged, resolve
from ssdgl.decisions import Decisions, as_dict, decide
from ssdgl.loss import OBJECTIVES, effective_number_weights, evaluate_objective
from ssdgl.network import SSDGL
from ssdgl.prediction import predict_scene
from ssdgl.sampling import MinibatchStream
from ssdgl.saved_model import arrays_of, write_model
from ssdgl.torch_run import (
    environment_of,
    numbers_of,
    peak_memory_of,
    prepare_device,
    seconds_until_idle,
    seed_everything,
    shown,
    weights_of,
)

PAPER = "ssdgl"
_SHOWN_EVERY = 5  # steps between two numbers beside the progress bar


def decisions_of(config: AttrDict, request: Request) -> Decisions:
    """The protocol's decisions for the network variant of a configuration."""
    return decide(request.protocol, config.model.params.get("variant", "v2022"))


def draw_split(config: AttrDict, loaded: LoadedScene, request: Request) -> Split:
    """The release's class-wise draw from the run's seed, or the split all papers share.

    Raises: SplitError where a class has too few pixels.
    """
    if decisions_of(config, request).split == "disjoint":
        return common_split(loaded, request.seed)
    counts = training_counts(loaded.ground_truth, config.split.ratio, config.split.minimum, loaded.scene.class_names)
    return draw_per_class(loaded.ground_truth, counts, request.seed)


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


class SSDGLRun(PreparedRun):
    """600 iterations, the last step's weights. config: of `resolve`; a key that nothing reads is an error."""

    def __init__(self, request: Request, config: AttrDict, loaded: LoadedScene, split: Split) -> None:
        if loaded.scene.slug != config.scene:
            raise ValueError("the configuration is for %s, the scene is %s" % (config.scene, loaded.scene.slug))
        self.request, self.config, self.loaded, self.split = request, config, loaded, split
        self.device = select_device(request.device)
        self.decisions = decisions_of(config, request)
        self.history = History()
        self.settings = config.to_dict()  # before the optimizer's rate is written into it

        # the scene as one image, standardised
        fitted = {"scene": None, "train": split.train}[self.decisions.normalisation]
        self.statistics = band_statistics(loaded.cube, fitted)
        scene = standardise_and_pad(loaded.cube, SSDGL.STRIDE, self.statistics)
        self.x = torch.from_numpy(scene)[None].to(self.device)

        # the labels that training may see
        labels = self._visible_labels()
        train = np.zeros(labels.shape, np.uint8)
        train.ravel()[split.train] = 1

        # mini-batches: the scene, these labels, and which training pixels are sampled
        y = torch.from_numpy(pad_labels(labels, SSDGL.STRIDE))[None].to(self.device)
        per_class, images = config.minibatch.per_class or None, config.minibatch.images
        self.stream = MinibatchStream(self.x, y, pad_labels(train, SSDGL.STRIDE) > 0, per_class, images, request.seed)

        # the network with its loss
        seed_everything(request.seed)
        network = make_model(config["model"], strict=True).to(self.device)
        self.model = Trainable(network, self.decisions.loss, self._class_weights(labels).to(self.device))

        # the optimizer, whose rate the launcher sets after every step
        self.schedule = make_learningrate(config["learning_rate"])
        config["optimizer"]["params"]["lr"] = self.schedule.base_lr
        self.optimizer = make_optimizer(config["optimizer"], self.model.parameters())

        # the common split takes nothing from the configuration
        unused = ("split",) if self.decisions.split == "disjoint" else ()
        config.check_unread(strict=True, ignore=("train", *unused))

    def _visible_labels(self) -> np.ndarray:
        """The (H, W) label map that training may see: of training pixels alone, or all of them (v2021 as released)."""
        truth = self.loaded.ground_truth
        if self.decisions.training_labels == "train and test":
            return truth
        visible = np.zeros_like(truth)
        visible.ravel()[self.split.train] = truth.ravel()[self.split.train]
        return visible

    def _class_weights(self, labels: np.ndarray) -> torch.Tensor:
        """Effective-number weights of the label map that training sees, or of the counts the configuration lists."""
        num_classes = self.loaded.scene.num_classes
        counts = self.config.get("class_counts") or np.bincount(labels.ravel(), minlength=num_classes + 1)[1:]
        if self.decisions.class_counts == "none":
            return torch.ones(num_classes)
        return effective_number_weights(counts)

    @property
    def total_steps(self) -> int:
        return self.config.train.num_iters

    def train(self, folder: Path) -> bool:
        """Train from the newest checkpoint in the folder to the end; False where a signal stopped it."""
        prepare_device(self.device)
        launcher = Launcher(str(folder / "checkpoints"), self.model, self.optimizer, self.schedule)
        with contextlib.closing(launcher):  # a log file left open would tell of a full disk when Python ends
            launcher.logger.add_file(folder / "log.txt")
            launcher.checkpoint.register("history", self.history)
            launcher.init()
            with TrainingProgress(self.total_steps, launcher.checkpoint.global_step) as progress:
                if progress.visible:
                    launcher.logger.console_level(logging.WARNING)
                launcher.add_step_callback(partial(self._after_step, progress))
                launcher.add_epoch_callback(self._after_epoch)
                with stop_on_signals(launcher.request_stop):
                    launcher.train_by_config(self.stream, self.config["train"], strict=True)
        self.last_weights = self.weights()
        if launcher.stop_reason is not None:
            return False
        self._save(folder / "checkpoints")
        return True

    def _save(self, folder: Path) -> None:
        """The last step's weights, and all else that predicting needs."""
        arrays = arrays_of(self.statistics)
        model = describe_model(PAPER, self.request, self.settings, self.loaded, self.split, arrays)
        write_model(folder, self.model.module.state_dict(), model)

    def _after_step(self, progress: TrainingProgress, _launcher: Launcher, info: Dict[str, Any]) -> None:
        self._latest = info
        self.history.add_step(info["seconds"] + seconds_until_idle(self.device))
        # reading a number waits for the device
        progress.update(**(shown(info) if progress.visible and info["step"] % _SHOWN_EVERY == 0 else {}))

    def _after_epoch(self, launcher: Launcher, _epoch: int) -> None:
        """OA on the test pixels, which the release computes after every epoch; nothing is selected by it."""
        step, numbers = self._latest["step"], numbers_of(self._latest)
        if self.decisions.accuracy_shown == "test":
            test = self.split.test
            test_oa = float((self.predict().ravel()[test] == self.loaded.ground_truth.ravel()[test]).mean())
            launcher.logger.eval_log({"test_oa": test_oa}, step)
            numbers["test_oa"] = test_oa
        self.history.add_entry(step, **numbers)

    def environment(self) -> Dict[str, Any]:
        return environment_of(self.device)

    def results(self) -> Results:
        """Predict with the last step's weights; what was measured on the way."""
        start = time.perf_counter()
        prediction = self.predict()
        evaluation_s = time.perf_counter() - start
        return Results(
            split=self.split,
            prediction=prediction,
            history=self.history,
            decisions=as_dict(self.decisions),
            selection={"step": self.total_steps, "on": "nothing: the last step's weights are kept"},
            environment=self.environment(),
            times={
                "train_s": sum(self.history.seconds),
                "step_s": self.history.median_step(),
                "evaluation_s": evaluation_s,
            },
            memory=peak_memory_of(self.device),
        )

    # what an audit asks

    def weights(self) -> Dict[str, np.ndarray]:
        return weights_of(self.model.module)

    def predict(self) -> np.ndarray:
        """(H, W) uint8 classes of the whole scene."""
        return predict_scene(self.model.module, self.x, *self.loaded.ground_truth.shape)

    def inputs(self, pixels: np.ndarray) -> np.ndarray:
        height, width = self.loaded.ground_truth.shape
        scene = self.x[0, :, :height, :width].cpu().numpy()
        return scene.reshape(len(scene), -1)[:, pixels].T

    def sees(self, mask: np.ndarray) -> np.ndarray:
        # group normalisation and attention take their means over the whole image
        return np.full(mask.shape, mask.any())

    def selection_state(self) -> Optional[Dict[str, Any]]:
        return None


def prepare(request: Request, altered: Optional[LoadedScene] = None) -> SSDGLRun:
    """The run of a request before its first step. altered: another state of the scene, on the true scene's split."""
    config, loaded = resolve(request)
    return SSDGLRun(request, config, altered or loaded, draw_split(config, loaded, request))


def reproduce(request: Request) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Raises: SharedDataError and SimpleCVError, with a sentence for the user.
    """
    config, loaded = resolve(request)
    keep_freed_memory()

    def build() -> SSDGLRun:
        return SSDGLRun(request, config, loaded, draw_split(config, loaded, request))

    return reproduce_once(PAPER, request, config.to_dict(), packaged(request, loaded), loaded, build)


def audit(request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Find out what reaches training; see `shared_data.audit.run`."""
    return audit_run(PAPER, _subject, request, kept_record)


def _subject(request: Request) -> Subject:
    config, loaded = resolve(request)

    def build(altered: LoadedScene) -> SSDGLRun:
        own = AttrDict.from_dict(config.to_dict())  # a run writes into its configuration
        return SSDGLRun(request, own, altered, draw_split(own, loaded, request))

    return Subject(config.to_dict(), loaded, draw_split(config, loaded, request), build)
