"""A run of RSSGL, top to bottom: scene → labels → mini-batches → network with its loss → training → results.

The loop with its optimizer step is `simplecv.core.trainer.Launcher`, as in the release. After every epoch the scene is
predicted, and the weights of the best accuracy are kept; where it rises no longer, training ends early.

The prediction of every evaluation is kept as a file. So the accuracy on the test pixels can be told for every epoch,
and with it what selecting on the test pixels would have given, even where test labels are first read at the end.
"""

import contextlib
import logging
import time
from functools import partial
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import torch

from rssgl.config import packaged, resolve
from rssgl.decisions import Decisions, as_dict, decide
from rssgl.loss import REGULARISERS, effective_number_weights, weighted_cross_entropy
from rssgl.network import RSSGL
from rssgl.prediction import predict_scene
from rssgl.sampling import MinibatchStream
from rssgl.saved_model import arrays_of, write_model
from rssgl.selection import BestWeights
from rssgl.split import draw_release_split
from rssgl.torch_run import (
    environment_of,
    numbers_of,
    peak_memory_of,
    prepare_device,
    seconds_until_idle,
    seed_everything,
    shown,
    weights_of,
)
from shared_data.audit import Audit
from shared_data.audit.run import Subject, audit_run
from shared_data.configuration.overrides import check_name
from shared_data.errors import CheckpointError
from shared_data.evaluation.metrics import evaluate
from shared_data.files.atomic import atomic_path
from shared_data.files.npz import read_npy
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
from shared_data.splits.draws import Split
from simplecv.core.config import AttrDict
from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher
from simplecv.module.model_builder import make_model
from simplecv.opt.learning_rate import make_learningrate
from simplecv.opt.optimizer import make_optimizer
from simplecv.util.device import select_device

PAPER = "rssgl"
_SHOWN_EVERY = 5  # steps between two numbers beside the progress bar


def decisions_of(_config: AttrDict, request: Request) -> Decisions:
    """The protocol's decisions; they are the same for every configuration."""
    return decide(request.protocol)


def draw_split(config: AttrDict, loaded: LoadedScene, request: Request) -> Split:
    """The release's draw, which is the same in every run: its seed is the configuration's, not the run's.

    Under the disjoint split that of the run's seed, which all papers share.
    Raises: SplitError where a class has too few pixels.
    """
    decisions, settings = decide(request.protocol), config.split
    if decisions.split == "disjoint":
        return common_split(loaded, request.seed)
    return draw_release_split(loaded, settings.ratio, settings.minimum, settings.seed, decisions.validation_share)


class Trainable(SingleDevice):
    """The network with its loss: what the trainer calls. The network is `.module`, as under DataParallel.

    regulariser: a key of `REGULARISERS`; weight: the paper's λ.
    """

    def __init__(self, network: RSSGL, regulariser: str, weight: float, class_weights: torch.Tensor) -> None:
        super().__init__(network)
        check_name("regulariser", regulariser, REGULARISERS)
        self.regulariser, self.weight = REGULARISERS[regulariser], weight
        # not a buffer: official checkpoints do not hold it
        self.class_weights = class_weights

    def forward(self, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> Dict[str, torch.Tensor]:
        """Losses and accuracy on the sampled pixels of one mini-batch."""
        sampled = w > 0
        logits, features = self.module.at_pixels(x, sampled)
        labels = y[sampled]
        correct = logits.detach().argmax(dim=1) + 1 == labels
        return {
            "cls_loss": weighted_cross_entropy(logits, labels, self.class_weights),
            "regularisation_loss": self.weight * self.regulariser(features, labels),
            "sampled_accuracy": correct.float().mean(),
        }


class RSSGLRun(PreparedRun):
    """At most `train.num_iters` iterations; the weights with the best accuracy after an epoch are kept.

    config: of `resolve`; a key that nothing reads is an error.
    """

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
        scene = standardise_and_pad(loaded.cube, RSSGL.STRIDE, self.statistics)
        self.x = torch.from_numpy(scene)[None].to(self.device)

        # the labels that training may see: those of training pixels alone
        truth = loaded.ground_truth
        labels, train = np.zeros_like(truth), np.zeros(truth.shape, np.uint8)
        labels.ravel()[split.train] = truth.ravel()[split.train]
        train.ravel()[split.train] = 1

        # mini-batches: the scene, these labels, and which training pixels are sampled
        y = torch.from_numpy(pad_labels(labels, RSSGL.STRIDE))[None].to(self.device)
        per_class, images = config.minibatch.per_class or None, config.minibatch.images
        self.stream = MinibatchStream(self.x, y, pad_labels(train, RSSGL.STRIDE) > 0, per_class, images, request.seed)

        # the network with its loss
        seed_everything(request.seed)
        network = make_model(config["model"], strict=True).to(self.device)
        counts = np.bincount(labels.ravel(), minlength=loaded.scene.num_classes + 1)[1:]
        class_weights = effective_number_weights(counts).to(self.device)
        self.model = Trainable(network, config.loss.regulariser, config.loss.weight, class_weights)

        # which step's weights are kept, and when training ends
        self.best = BestWeights(network, config.selection.patience)
        self.judges = {"test": split.test, "validation": split.val}[self.decisions.selected_on]

        # the optimizer, whose rate the launcher sets after every step
        self.schedule = make_learningrate(config["learning_rate"])
        config["optimizer"]["params"]["lr"] = self.schedule.base_lr
        self.optimizer = make_optimizer(config["optimizer"], self.model.parameters())

        # the common split takes nothing from the configuration
        unused = ("split",) if self.decisions.split == "disjoint" else ()
        config.check_unread(strict=True, ignore=("train", *unused))

    @property
    def total_steps(self) -> int:
        return self.config.train.num_iters

    def train(self, folder: Path) -> bool:
        """Train from the newest checkpoint in the folder to the end; False where a signal stopped it."""
        self.evaluations_folder = folder / "evaluations"
        prepare_device(self.device)
        launcher = Launcher(str(folder / "checkpoints"), self.model, self.optimizer, self.schedule)
        with contextlib.closing(launcher):  # a log file left open would tell of a full disk when Python ends
            launcher.logger.add_file(folder / "log.txt")
            launcher.checkpoint.register("history", self.history)
            launcher.checkpoint.register("best", self.best)
            launcher.init()
            with TrainingProgress(self.total_steps, launcher.checkpoint.global_step) as progress:
                if progress.visible:
                    launcher.logger.console_level(logging.WARNING)
                launcher.add_step_callback(partial(self._after_step, progress))
                launcher.add_epoch_callback(self._after_epoch)
                with stop_on_signals(launcher.request_stop):
                    if not self.best.exhausted:
                        launcher.train_by_config(self.stream, self.config["train"], strict=True)
        self.last_weights = self.weights()
        if launcher.stop_reason is not None and not self.best.exhausted:
            return False
        self._judge_last_step()
        self._save(folder / "checkpoints")
        return True

    def _save(self, folder: Path) -> None:
        """The weights that were kept, and all else that predicting needs."""
        arrays = arrays_of(self.statistics)
        model = describe_model(PAPER, self.request, self.settings, self.loaded, self.split, arrays)
        write_model(folder, self.best.weights, model)

    def _after_step(self, progress: TrainingProgress, _launcher: Launcher, info: Dict[str, Any]) -> None:
        self._latest = info
        self.history.add_step(info["seconds"] + seconds_until_idle(self.device))
        # reading a number waits for the device
        progress.update(**(shown(info) if progress.visible and info["step"] % _SHOWN_EVERY == 0 else {}))

    def _after_epoch(self, launcher: Launcher, _epoch: int) -> None:
        """Predict the scene, keep the prediction, and select on the pixels of the protocol."""
        step, numbers = self._latest["step"], numbers_of(self._latest)
        judged = self._judge(step)
        launcher.logger.eval_log(judged, step)
        if self.best.exhausted:
            launcher.request_stop("no better %s in %d evaluations" % (next(iter(judged)), self.best.patience))
        self.history.add_entry(step, **dict(numbers, **judged))

    def _judge_last_step(self) -> None:
        """Where the last step ends no epoch, it is evaluated now."""
        step = len(self.history.seconds)
        if not self.history.entries or self.history.entries[-1]["step"] != step:
            self.history.add_entry(step, **self._judge(step))

    def _judge(self, step: int) -> Dict[str, float]:
        prediction = self.predict()
        self._keep_prediction(step, prediction)
        accuracy = self._accuracy(prediction, self.judges)
        self.best.offer(step, accuracy)
        return {"%s_oa" % self.decisions.selected_on: accuracy}

    def _accuracy(self, prediction: np.ndarray, pixels: np.ndarray) -> float:
        """Overall accuracy of a (H, W) prediction on flat pixel indices."""
        return float((prediction.ravel()[pixels] == self.loaded.ground_truth.ravel()[pixels]).mean())

    def _evaluation_path(self, step: int) -> Path:
        return self.evaluations_folder / ("step-%d.npy" % step)

    def _keep_prediction(self, step: int, prediction: np.ndarray) -> None:
        self.evaluations_folder.mkdir(exist_ok=True)
        with atomic_path(self._evaluation_path(step)) as temporary:
            np.save(temporary, prediction)

    def _kept_prediction(self, step: int) -> np.ndarray:
        path = self._evaluation_path(step)
        try:
            return read_npy(path, self.loaded.ground_truth.shape)
        except ValueError as error:
            raise CheckpointError(
                "%s cannot be read (%s); start over with FORCE=1 or --force." % (path, error)
            ) from error

    def extra_metrics(self) -> Dict[str, float]:
        """OA, AA and kappa of the last iterate; then the network takes the weights that were kept.

        The history gets the test accuracy of every evaluation.
        """
        for entry in self.history.entries:
            kept = self._kept_prediction(entry["step"])
            entry["test_oa"] = self._accuracy(kept, self.split.test)
        truth, test = self.loaded.ground_truth.ravel(), self.split.test
        last = evaluate(truth[test], kept.ravel()[test], self.loaded.scene.num_classes)
        self.best.restore()
        return {"oa_last": last.oa, "aa_last": last.aa, "kappa_last": last.kappa}

    def environment(self) -> Dict[str, Any]:
        return environment_of(self.device)

    def results(self) -> Results:
        """Predict with the weights that were kept; what was measured on the way."""
        extra_metrics = self.extra_metrics()
        start = time.perf_counter()
        prediction = self.predict()
        evaluation_s = time.perf_counter() - start
        return Results(
            split=self.split,
            prediction=prediction,
            history=self.history,
            decisions=as_dict(self.decisions),
            selection={
                "step": self.best.step,
                "on": "overall accuracy of %d %s pixels" % (self.judges.size, self.decisions.selected_on),
                "last_step": len(self.history.seconds),
            },
            environment=self.environment(),
            times={
                "train_s": sum(self.history.seconds),
                "step_s": self.history.median_step(),
                "evaluation_s": evaluation_s,
            },
            memory=peak_memory_of(self.device),
            extra_metrics=extra_metrics,
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
        return {"step": self.best.step, "value": self.best.value, "since": self.best.since}


def prepare(request: Request, altered: Optional[LoadedScene] = None) -> RSSGLRun:
    """The run of a request before its first step. altered: another state of the scene, on the true scene's split."""
    config, loaded = resolve(request)
    return RSSGLRun(request, config, altered or loaded, draw_split(config, loaded, request))


def reproduce(request: Request) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Raises: SharedDataError and SimpleCVError, with a sentence for the user.
    """
    config, loaded = resolve(request)
    keep_freed_memory()

    def build() -> RSSGLRun:
        return RSSGLRun(request, config, loaded, draw_split(config, loaded, request))

    return reproduce_once(PAPER, request, config.to_dict(), packaged(request, loaded), loaded, build)


def audit(request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Find out what reaches training; see `shared_data.audit.run`."""
    return audit_run(PAPER, _subject, request, kept_record)


def _subject(request: Request) -> Subject:
    config, loaded = resolve(request)

    def build(altered: LoadedScene) -> RSSGLRun:
        own = AttrDict.from_dict(config.to_dict())  # a run writes into its configuration
        return RSSGLRun(request, own, altered, draw_split(own, loaded, request))

    return Subject(config.to_dict(), loaded, draw_split(config, loaded, request), build)
