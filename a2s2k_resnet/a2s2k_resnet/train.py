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

from a2s2k_resnet import checkpoint, experiments, preprocessing
from a2s2k_resnet.decisions import as_dict, decide
from a2s2k_resnet.device import device_name, select_device, wait_for
from a2s2k_resnet.patches import MinibatchStream, PatchGatherer
from a2s2k_resnet.prediction import predict_scene
from a2s2k_resnet.sampling import draw_split
from a2s2k_resnet.stopping import RULES
from a2s2k_resnet.validation import Validation
from shared_data.audit import Audit
from shared_data.audit.run import Subject, audit_run
from shared_data.errors import SettingsError, settings_of
from shared_data.runs import environment
from shared_data.runs.allocator import keep_freed_memory
from shared_data.runs.epoch_run import EpochRun, Validated
from shared_data.runs.log import RunLog
from shared_data.runs.model_file import describe_model
from shared_data.runs.outputs import Results
from shared_data.runs.reproduce import reproduce_once
from shared_data.runs.request import Outcome, Request
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.disjoint import common_split, near
from shared_data.splits.draws import Split

PAPER = "a2s2k"

NEEDS_TWO_PATCHES = ("resnet", "pyresnet")  # in training; their last maps are 1×1 pixel
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def seed_everything(seed: int) -> None:
    """Python, numpy and torch (all devices) from one seed. The release seeds numpy alone."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def copy_of(network: nn.Module) -> Dict[str, Tensor]:
    """The network's state, on the CPU, detached from it."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


class A2S2KRun(EpochRun):
    """Everything a run builds before its first step.

    config: of `experiments.load`. split: its training pixels train, its validation pixels choose the weights; the
    labels of its test pixels are read in `results`, for the first time.
    Raises: SettingsError where sizes do not fit; DeviceError.
    """

    format = checkpoint.FORMAT

    def __init__(self, request: Request, config: Dict[str, Any], loaded: LoadedScene, split: Split) -> None:
        super().__init__(config["train"])
        self.request, self.config, self.loaded, self.split = request, config, loaded, split
        self.decisions = decide(request.protocol)
        self.device = select_device(request.device)
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.cuda.reset_peak_memory_stats(self.device)
        self._check_last_minibatch()
        seed_everything(request.seed)
        with settings_of(request.experiment):
            bands, classes = loaded.scene.bands, loaded.scene.num_classes
            self.network = experiments.network_of(config, request.protocol, bands, classes).to(self.device)
            self.whitening = preprocessing.fit(
                loaded.cube, config["preprocessing"], self.decisions, request.seed, split.train
            )
            self.gatherer = PatchGatherer(self.whitening.apply(loaded.cube), config["patch"]["side"], self.device)
        settings, truth = config["train"], loaded.ground_truth
        self.stream = MinibatchStream(self.gatherer, truth, split.train, settings["batch"], request.seed)
        self.validation = Validation(self.gatherer, truth, split.val, settings["batch"], request.seed)
        kind = OPTIMIZERS[config["optimizer"]["name"]]
        self.optimizer = kind(self.network.parameters(), lr=config["optimizer"]["lr"])
        self.rule = RULES[self.decisions.monitored](settings["patience"])
        self.kept: Dict[str, Tensor] = {}  # weights the rule kept

    def _check_last_minibatch(self) -> None:
        batch, name = self.config["train"]["batch"], self.config["model"]["name"]
        last = self.split.train.size % batch or batch
        if name in NEEDS_TWO_PATCHES and last == 1:
            raise SettingsError(
                "%d training pixels in mini-batches of %d leave a last one of a single patch, which the BatchNorm of "
                "%s cannot normalise; choose another size with train.batch." % (self.split.train.size, batch, name)
            )

    # training

    def begin_epoch(self) -> None:
        self.network.train()

    def train_on(self, batch: Tuple[Tensor, Tensor]) -> Tuple[Tensor, int]:
        """One optimizer step; the loss, detached, and the number of patches."""
        patches, targets = batch
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.network(patches), targets)
        loss.backward()
        self.optimizer.step()
        wait_for(self.device)
        return loss.detach(), len(targets)

    def end_epoch(self) -> Validated:
        validated = self.validation(self.network)
        if self.rule.observe(validated.losses, validated.sizes).keep:
            self.kept = copy_of(self.network)
        numbers = {
            "validation_loss": validated.mean_loss,
            "last_batch_loss": validated.losses[-1],
            "validation_oa": validated.accuracy,
        }
        sentence = "validation loss %.4f (last mini-batch %.4f), validation OA %.2f %%"
        return Validated(numbers, sentence % (validated.mean_loss, validated.losses[-1], 100 * validated.accuracy))

    @property
    def exhausted(self) -> bool:
        return self.rule.exhausted

    def use_selected(self, folder: Path, log: RunLog) -> None:
        """Give the network the weights of the epoch that the rule names."""
        if self.rule.exhausted:
            log.info("no better %s in %d epochs", self.decisions.monitored.replace("_", " "), self.rule.patience)
        if self.rule.restores:
            self.network.load_state_dict(self.kept)
        log.info("the weights of epoch %d are used", self.rule.used_epoch)
        model = describe_model(
            PAPER, self.request, self.config, self.loaded, self.split, preprocessing.arrays_of(self.whitening)
        )
        checkpoint.write_model(folder / "selected.pth", copy_of(self.network), model)

    def state(self) -> Dict[str, Any]:
        return {
            "model": copy_of(self.network),
            "optimizer": self.optimizer.state_dict(),
            "kept": self.kept,
            "rule": self.rule.state_dict(),
            "validation": self.validation.state_dict(),
            # dropout draws from torch; nothing draws from Python's or numpy's generator after the split
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def restore(self, state: Dict[str, Any]) -> None:
        self.network.load_state_dict(state["model"])
        for name in ("optimizer", "rule", "validation"):
            getattr(self, name).load_state_dict(state[name])
        self.kept = dict(state["kept"])
        torch.set_rng_state(state["torch"])
        if self.device.type == "cuda" and state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"], self.device)

    # after training

    def predict(self) -> np.ndarray:
        """(H, W) uint8 classes of every pixel of the scene."""
        return predict_scene(self.network, self.gatherer)

    def weights(self) -> Dict[str, np.ndarray]:
        return {name: tensor.numpy() for name, tensor in copy_of(self.network).items()}

    def inputs(self, pixels: np.ndarray) -> np.ndarray:
        middle = self.gatherer.patch // 2
        return self.gatherer(torch.from_numpy(pixels))[:, middle, middle].cpu().numpy()

    def sees(self, mask: np.ndarray) -> np.ndarray:
        return near(mask, self.gatherer.patch // 2)

    def selection_state(self) -> Dict[str, Any]:
        return self.rule.state_dict()

    def environment(self) -> Dict[str, Any]:
        return environment.describe(
            "PyTorch", torch.__version__, str(self.device), device_name(self.device), torch.get_num_threads()
        )

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


def split_of(request: Request, config: Dict[str, Any], loaded: LoadedScene) -> Split:
    """The split of a request's seed under its protocol. Raises: SplitError."""
    if decide(request.protocol).split == "disjoint":
        return common_split(loaded, request.seed)
    return draw_split(loaded.ground_truth, request.seed, config["split"]["held_out"], loaded.scene.class_names)


def prepare(request: Request, config: Dict[str, Any], loaded: LoadedScene) -> A2S2KRun:
    """The run of a request, with the split drawn from its seed. Raises: SplitError; see `A2S2KRun`."""
    return A2S2KRun(request, config, loaded, split_of(request, config, loaded))


def subject(request: Request) -> Subject:
    """The run of a request for the audit. Raises: as `reproduce`."""
    config, loaded = resolve(request)
    split = split_of(request, config, loaded)
    return Subject(config, loaded, split, lambda altered: A2S2KRun(request, config, altered, split))


def audit(request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Find out what reaches training; see `shared_data.audit.run`."""
    return audit_run(PAPER, subject, request, kept_record)


def reproduce(request: Request) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Raises: SharedDataError with a sentence for the user.
    """
    config, loaded = resolve(request)
    keep_freed_memory()
    packaged = experiments.load(request.experiment)
    return reproduce_once(PAPER, request, config, packaged, loaded, lambda: prepare(request, config, loaded))
