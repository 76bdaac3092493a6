"""Training: scene → components → patches → mini-batches → network → epochs with early stopping → weights in use."""

import random
from typing import Any, Dict, Optional

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2s2k_resnet import checkpoint, experiments
from a2s2k_resnet.checkpoint import copy_of
from a2s2k_resnet.cuda_graph import replay_if_asked
from a2s2k_resnet.decisions import Decisions
from a2s2k_resnet.device import clock_of, select_device
from a2s2k_resnet.patches import MinibatchStream, PatchGatherer
from a2s2k_resnet.predict import FittedNetwork
from a2s2k_resnet.preprocessing import preprocess, whitening_of
from a2s2k_resnet.stopping import RULES
from a2s2k_resnet.validation import Validation
from shared_data.errors import SettingsError, settings_of
from shared_data.runs.allocator import keep_freed_memory
from shared_data.runs.epoch_loop import EpochLoop
from shared_data.runs.method import Report, Run
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import SceneImage
from shared_data.splits.labels import Labels

NEEDS_TWO_PATCHES = ("resnet", "pyresnet")  # in training, for BatchNorm on maps of 1×1 pixel
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def fit(
    image: SceneImage, labels: Labels, configuration: Configuration, seed: int, run: Run, steps: Optional[int] = None
) -> Optional[FittedNetwork]:
    """Train on a scene: its training pixels train, its validation pixels choose the epoch whose weights are used.

    Resumes from the newest checkpoint in the run's folder. steps: upper limit of optimizer steps. None where a signal
    stopped it.
    Raises: SettingsError where sizes do not fit; DeviceError; CheckpointError; OSError where something cannot be
    written.
    """
    settings, decisions = configuration.settings, configuration.decisions
    train = settings["train"]
    keep_freed_memory()
    device = select_device(run.device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    _check_last_minibatch(labels.train_pixels.size, train["batch"], settings["model"]["name"])

    model = preprocess(image, labels, configuration, seed)
    with settings_of(configuration.experiment):
        gatherer = PatchGatherer(whitening_of(model).apply(image.cube), settings["patch"]["side"], device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)  # an error where the process has not used it yet
    batches = MinibatchStream(gatherer, labels.train, labels.train_pixels, train["batch"], seed)
    validation = Validation(gatherer, labels.val, labels.val_pixels, train["batch"], seed)

    seed_everything(seed)
    with settings_of(configuration.experiment):
        network = experiments.network_of(settings, configuration.protocol, model.bands, model.num_classes).to(device)
    optimizer = OPTIMIZERS[settings["optimizer"]["name"]](network.parameters(), lr=settings["optimizer"]["lr"])
    rule = RULES[decisions.monitored](train["patience"])
    state = _State(network, optimizer, rule, validation, device)
    # the last mini-batch of an epoch may be smaller: then it is computed without graphs, with its own statistics
    replay_if_asked(network, "forward", gatherer(torch.zeros(train["batch"], dtype=torch.int64)))

    with EpochLoop(run, checkpoint.FORMAT, train, batches, state, steps, clock_of(device)) as loop:
        for _epoch in loop.epochs(lambda: rule.exhausted):
            network.train()
            for patches, targets in loop.minibatches():
                optimizer.zero_grad()
                loss = F.cross_entropy(network(patches), targets)
                loss.backward()
                optimizer.step()
                loop.step(loss.detach(), len(targets), settings["optimizer"]["lr"])
            if loop.stopped:
                break
            validated = validation(network)
            if rule.observe(validated.losses, validated.sizes).keep:
                state.kept = copy_of(network)
            loop.end_epoch(
                {
                    "validation_loss": validated.mean_loss,
                    "last_batch_loss": validated.losses[-1],
                    "validation_oa": validated.accuracy,
                },
                "validation loss %.4f (last mini-batch %.4f), validation OA %.2f %%"
                % (validated.mean_loss, validated.losses[-1], 100 * validated.accuracy),
            )
        if not loop.is_over:
            return None
        if rule.exhausted:
            loop.log.info("no better %s in %d epochs", decisions.monitored.replace("_", " "), rule.patience)
        loop.log.info("the weights of epoch %d are used", rule.used_epoch)

    last_weights = checkpoint.as_arrays(network)
    if rule.restores:
        network.load_state_dict(state.kept)
    selection = _selection(decisions, rule, loop, labels.val_pixels.size)
    return FittedNetwork(network, model, Report(loop.history, selection, rule.state_dict(), last_weights))


def _check_last_minibatch(pixels: int, batch: int, name: str) -> None:
    """Raises: SettingsError where the last mini-batch of an epoch would be too small for a model."""
    if name in NEEDS_TWO_PATCHES and (pixels % batch or batch) == 1:
        raise SettingsError(
            "%d training pixels in mini-batches of %d leave a last one of a single patch, which the BatchNorm of "
            "%s cannot normalise; choose another size with train.batch." % (pixels, batch, name)
        )


def seed_everything(seed: int) -> None:
    """Python, numpy and torch (all devices) from one seed. The release seeds numpy alone."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class _State:
    """All that the next epoch depends on beside the mini-batches, and the weights that the rule kept."""

    def __init__(
        self, network: nn.Module, optimizer: Any, rule: Any, validation: Validation, device: torch.device
    ) -> None:
        self._network, self._device = network, device
        self._parts = {"optimizer": optimizer, "rule": rule, "validation": validation}
        self.kept: Dict[str, Tensor] = {}

    def state_dict(self) -> Dict[str, Any]:
        content = {name: part.state_dict() for name, part in self._parts.items()}
        content.update(
            model=copy_of(self._network),
            kept=self.kept,
            # dropout draws from torch; nothing draws from Python's or numpy's generator after the split
            torch=torch.get_rng_state(),
            cuda=torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None,
        )
        return content

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._network.load_state_dict(state["model"])
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.kept = dict(state["kept"])
        torch.set_rng_state(state["torch"])
        if self._device.type == "cuda" and state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"], self._device)


def _selection(decisions: Decisions, rule: Any, loop: EpochLoop, validating: int) -> Dict[str, Any]:
    """For the record: the step whose weights are used, and on what they were chosen."""
    words = decisions.weights_kept.replace("_", " ") if rule.restores else "last epoch, nothing restored"
    monitored = decisions.monitored.replace("_", " ")
    return {
        "step": loop.history.entries[rule.used_epoch - 1]["step"],
        "on": "%s of %d validation pixels: %s" % (monitored, validating, words),
        "last_step": loop.step_count,
    }
