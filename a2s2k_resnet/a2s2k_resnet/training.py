"""One run: scene → split → components → patches → epochs with early stopping → every pixel's class → results."""

import random
import time
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import precision_score
from torch import Tensor, nn

from a2s2k_resnet import checkpoint, experiments
from a2s2k_resnet.decisions import as_dict, decide
from a2s2k_resnet.device import device_name, select_device, wait_for
from a2s2k_resnet.errors import CheckpointError, SettingsError, settings_of
from a2s2k_resnet.network import build_network
from a2s2k_resnet.patches import MinibatchStream, PatchGatherer
from a2s2k_resnet.prediction import predict_scene
from a2s2k_resnet.preprocessing import whiten
from a2s2k_resnet.run_log import RunLog
from a2s2k_resnet.sampling import draw_split
from a2s2k_resnet.stopping import RULES
from a2s2k_resnet.validation import Validated, Validation
from shared_data import environment
from shared_data.allocator import keep_freed_memory
from shared_data.history import History
from shared_data.interrupts import stop_on_signals
from shared_data.paper_cli import Outcome, Request
from shared_data.progress import TrainingProgress
from shared_data.reproduction import PreparedRun, reproduce_once
from shared_data.run_outputs import Results, write_prediction
from shared_data.scene import LoadedScene, load_scene
from shared_data.splits import Split

PAPER = "a2s2k"

NEEDS_TWO_PATCHES = ("resnet", "pyresnet")  # in training; their last maps are 1×1 pixel
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
_SHOWN_EVERY = 10  # steps between two numbers beside the progress bar


def seed_everything(seed: int) -> None:
    """Python, numpy and torch (all devices) from one seed. The release seeds numpy alone."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def copy_of(network: nn.Module) -> Dict[str, Tensor]:
    """The network's state, on the CPU, detached from it."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


class A2S2KRun(PreparedRun):
    """Everything a run builds before its first step.

    config: of `experiments.load`. split: its training pixels train, its validation pixels choose the weights; the
    labels of its test pixels are read in `results`, for the first time.
    Raises: SettingsError where sizes do not fit; DeviceError.
    """

    def __init__(self, request: Request, config: Dict[str, Any], loaded: LoadedScene, split: Split) -> None:
        self.request, self.config, self.loaded, self.split = request, config, loaded, split
        self.decisions = decide(request.protocol)
        self.device = select_device(request.device)
        self._check_last_minibatch()
        seed_everything(request.seed)
        with settings_of(request.experiment):
            self.network = self._build_network()
            self.gatherer = PatchGatherer(self._components(), config["patch"]["side"], self.device)
        settings, truth = config["train"], loaded.ground_truth
        self.stream = MinibatchStream(self.gatherer, truth, split.train, settings["batch"], request.seed)
        self.validation = Validation(self.gatherer, truth, split.val, settings["batch"], request.seed)
        kind = OPTIMIZERS[config["optimizer"]["name"]]
        self.optimizer = kind(self.network.parameters(), lr=config["optimizer"]["lr"])
        self.rule = RULES[self.decisions.monitored](settings["patience"])
        self.history = History()
        self.kept: Dict[str, Tensor] = {}  # weights the rule kept
        self.stop_reason: Optional[str] = None

    def _build_network(self) -> nn.Module:
        bands = self.config["preprocessing"]["components"] or self.loaded.scene.bands
        model, side, classes = self.config["model"], self.config["patch"]["side"], self.loaded.scene.num_classes
        network = build_network(model["name"], bands, classes, side, self.decisions.kernel, model["kernels"])
        return network.to(self.device)

    def _components(self) -> np.ndarray:
        """(H, W, C) standardised principal components."""
        fitted = {"scene": None, "train": self.split.train}[self.decisions.preprocessing]
        return whiten(self.loaded.cube, fitted, self.config["preprocessing"]["components"] or None)

    def _check_last_minibatch(self) -> None:
        batch, name = self.config["train"]["batch"], self.config["model"]["name"]
        last = self.split.train.size % batch or batch
        if name in NEEDS_TWO_PATCHES and last == 1:
            raise SettingsError(
                "%d training pixels in mini-batches of %d leave a last one of a single patch, which the BatchNorm of "
                "%s cannot normalise; choose another size with train.batch." % (self.split.train.size, batch, name)
            )

    @property
    def total_steps(self) -> int:
        """Optimizer steps where nothing stops early."""
        settings = self.config["train"]
        steps = settings["epochs"] * len(self.stream)
        return min(steps, settings["num_iters"]) if settings["num_iters"] else steps

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return len(self.history.seconds)

    # training

    def train(self, folder: Path) -> bool:
        """Train from the newest checkpoint in the folder to the end; False where a signal stopped it."""
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.cuda.reset_peak_memory_stats(self.device)
        checkpoints = checkpoint.CheckpointFolder(folder / "checkpoints")
        name, state, problems = checkpoints.newest()
        if name:
            self._restore(state)
        with TrainingProgress(self.total_steps, self.step) as progress, RunLog(folder, progress.visible) as log:
            for problem in problems:
                log.warning("%s", problem)
            if name:
                log.info("resumed from %s at step %d", name, self.step)
            with stop_on_signals(self._request_stop):
                while not (self.is_over() or self.stop_reason):
                    if self._one_epoch(progress, log):
                        log.info("%s saved", checkpoints.save(self.rule.epoch, self._state()))
            if not self.is_over():
                log.info("stopped after the current step: %s", self.stop_reason)
                return False
            self._use_kept_weights(log)
        checkpoint.write(folder / "checkpoints" / "selected.pth", {"model": copy_of(self.network)})
        return True

    def is_over(self) -> bool:
        """Whether an epoch has ended training, by the rule or as the one with the last step."""
        entries = self.history.entries
        return self.rule.exhausted or bool(entries and entries[-1]["step"] >= self.total_steps)

    def _request_stop(self, reason: str) -> None:
        self.stop_reason = reason

    def _one_epoch(self, progress: TrainingProgress, log: RunLog) -> bool:
        """Train on every training pixel once, validate, let the rule decide; False where a signal came first."""
        start = time.perf_counter()
        self.network.train()
        loss_sum, pixels = torch.zeros((), device=self.device), 0
        for patches, targets in self.stream:
            loss = self._one_step(patches, targets)
            loss_sum += loss * len(targets)
            pixels += len(targets)
            shown = progress.visible and self.step % _SHOWN_EVERY == 0  # reading a number waits for the device
            progress.update(**({"loss": "%.4f" % float(loss), "epoch": str(self.rule.epoch + 1)} if shown else {}))
            if self.stop_reason:
                return False
            if self.step == self.total_steps:
                break
        validated = self.validation(self.network)
        if self.rule.observe(validated.losses, validated.sizes).keep:
            self.kept = copy_of(self.network)
        self._report(float(loss_sum) / pixels, validated, time.perf_counter() - start, log)
        return True

    def _one_step(self, patches: Tensor, targets: Tensor) -> Tensor:
        """One optimizer step; its time joins the history. Returns the loss, detached."""
        wait_for(self.device)
        start = time.perf_counter()
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.network(patches), targets)
        loss.backward()
        self.optimizer.step()
        wait_for(self.device)
        self.history.add_step(time.perf_counter() - start)
        return loss.detach()

    def _report(self, loss: float, validated: Validated, seconds: float, log: RunLog) -> None:
        numbers = {
            "loss": loss,
            "validation_loss": validated.mean_loss,
            "last_batch_loss": validated.losses[-1],
            "validation_oa": validated.accuracy,
        }
        self.history.add_entry(self.step, **numbers)
        log.curves(self.step, numbers)
        log.info(
            "epoch %d, step %d of %d: loss %.4f, validation loss %.4f (last mini-batch %.4f), validation OA %.2f %%, "
            "%.2f s" % (self.rule.epoch, self.step, self.total_steps, loss, validated.mean_loss,
                        validated.losses[-1], 100 * validated.accuracy, seconds)
        )  # fmt: skip

    def _use_kept_weights(self, log: RunLog) -> None:
        """Give the network the weights of the epoch that the rule names."""
        if self.rule.exhausted:
            log.info("no better %s in %d epochs", self.decisions.monitored.replace("_", " "), self.rule.patience)
        if self.rule.restores:
            self.network.load_state_dict(self.kept)
        log.info("the weights of epoch %d are used", self.rule.used_epoch)

    # checkpoints

    def _state(self) -> Dict[str, Any]:
        """All that the next epoch depends on, as tensors and plain containers."""
        return {
            "model": copy_of(self.network),
            "optimizer": self.optimizer.state_dict(),
            "kept": self.kept,
            "rule": self.rule.state_dict(),
            "stream": self.stream.state_dict(),
            "validation": self.validation.state_dict(),
            "history": self.history.state_dict(),
            # dropout draws from torch; nothing draws from Python's or numpy's generator after the split
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def _restore(self, state: Dict[str, Any]) -> None:
        """Raises: CheckpointError where the state is not of such a run."""
        try:
            self.network.load_state_dict(state["model"])
            for name in ("optimizer", "rule", "stream", "validation", "history"):
                getattr(self, name).load_state_dict(state[name])
            self.kept = dict(state["kept"])
            torch.set_rng_state(state["torch"])
            if self.device.type == "cuda" and state["cuda"] is not None:
                torch.cuda.set_rng_state(state["cuda"], self.device)
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(
                "the newest checkpoint does not fit this run (%s); start over with FORCE=1 or --force." % reason
            ) from error

    # after training

    def predict(self) -> np.ndarray:
        """(H, W) uint8 classes of every pixel of the scene."""
        return predict_scene(self.network, self.gatherer)

    def results(self) -> Results:
        """Predict with the weights in use; what was measured on the way."""
        start = time.perf_counter()
        prediction = self.predict()
        evaluation_s = time.perf_counter() - start
        cuda = self.device.type == "cuda"
        return Results(
            split=self.split,
            prediction=prediction,
            history=self.history,
            decisions=as_dict(self.decisions),
            selection=self._selection(),
            environment=environment.describe("PyTorch", torch.__version__, device_name(self.device)),
            times={
                "train_s": sum(self.history.seconds),
                "step_s": self.history.median_step(),
                "evaluation_s": evaluation_s,
            },
            memory={
                "peak_rss_mb": environment.peak_memory_mb(),
                "peak_gpu_mb": torch.cuda.max_memory_allocated(self.device) / 1e6 if cuda else None,
            },
            extra_metrics=self._second_aa(prediction),
        )

    def _selection(self) -> Dict[str, Any]:
        words = self.decisions.weights_kept.replace("_", " ") if self.rule.restores else "last epoch, nothing restored"
        monitored = self.decisions.monitored.replace("_", " ")
        return {
            "step": self.history.entries[self.rule.used_epoch - 1]["step"],
            "on": "%s of %d validation pixels: %s" % (monitored, self.split.val.size, words),
            "last_step": self.step,
        }

    def _second_aa(self, prediction: np.ndarray) -> Dict[str, float]:
        """Mean precision on the test pixels where the protocol reports it; a class never predicted counts as 0."""
        if self.decisions.aa_beside_recall != "precision":
            return {}
        test, classes = self.split.test, np.arange(1, self.loaded.scene.num_classes + 1)
        truth = self.loaded.ground_truth.ravel()[test]
        precision = precision_score(truth, prediction.ravel()[test], labels=classes, average="macro", zero_division=0)
        return {"aa_released": float(precision)}


def resolve(request: Request) -> Tuple[Dict[str, Any], LoadedScene]:
    """The configuration with the request's changes, and the scene.

    Raises: UnknownNameError, SettingsError; what `load_scene` raises.
    """
    config = experiments.load(request.experiment, request.overrides)
    if request.iterations is not None:
        config["train"]["num_iters"] = request.iterations
    return config, load_scene(config["scene"], request.data, request.unverified)


def prepare(request: Request, config: Dict[str, Any], loaded: LoadedScene) -> A2S2KRun:
    """The run of a request, with the split drawn from its seed. Raises: SplitError; see `A2S2KRun`."""
    names = loaded.scene.class_names
    split = draw_split(loaded.ground_truth, request.seed, config["split"]["held_out"], names)
    return A2S2KRun(request, config, loaded, split)


def reproduce(request: Request) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Raises: SharedDataError with a sentence for the user.
    """
    config, loaded = resolve(request)
    keep_freed_memory()
    return reproduce_once(PAPER, request, config, loaded, lambda: prepare(request, config, loaded))


def predict(request: Request, weights: Path) -> Outcome:
    """Classify every pixel with stored weights and draw the result beside the request's split.

    The release's weights belong to --protocol released: its kernel, and components fitted on the whole scene.
    Writes results/a2s2k/<experiment>/predictions/<name of the weights>/.
    Raises: CheckpointError where the file cannot be read or does not fit; what `reproduce` raises.
    """
    state = checkpoint.read_weights(weights)
    config, loaded = resolve(request)
    run = prepare(request, config, loaded)
    try:
        run.network.load_state_dict(state)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            "%s does not fit the network of %s under --protocol %s: %s"
            % (weights, request.experiment, request.protocol, reason)
        ) from error
    folder = request.out / PAPER / request.experiment / "predictions" / weights.stem
    title = "%s · %s · %s" % (PAPER.upper(), loaded.scene.title, weights.name)
    write_prediction(folder, run.predict(), loaded, run.split, title)
    return Outcome(folder, None)
