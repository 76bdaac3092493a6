"""A training of APDCLNN, top to bottom: scene → components and Gabor features → mini-batches → epochs → best epoch."""

import random
from typing import Any, Dict, Optional

import numpy as np

from apdclnn import experiments
from apdclnn.device import select_device
from apdclnn.estimate import estimate
from apdclnn.model import Model
from apdclnn.predict import FittedNetwork, network_of
from apdclnn.prediction import BATCH
from apdclnn.preprocessing import fitted_and_features
from apdclnn.sampling import MinibatchStream, targets_of
from shared_data.errors import settings_of
from shared_data.runs.epoch_loop import EpochLoop
from shared_data.runs.method import Report, Run
from shared_data.runs.model_file import describe_model
from shared_data.runs.npz_checkpoint import NPZ
from shared_data.runs.request import Configuration
from shared_data.runs.selection import BestStep
from shared_data.scenes.loading import SceneImage
from shared_data.splits.labels import Labels


def fit(
    image: SceneImage, labels: Labels, configuration: Configuration, seed: int, run: Run, steps: Optional[int] = None
) -> Optional[FittedNetwork]:
    """Train from the newest checkpoint in the run's folder; None where a signal stopped it.

    The Gabor features are cached in the folder that all runs of this paper share.
    steps: upper limit of optimizer steps beside the configuration's.
    Raises: SettingsError where sizes do not fit; DeviceError; CheckpointError for another run's checkpoint;
    RunDirectoryError, OSError where something cannot be written.
    """
    settings, device = configuration.settings, select_device(run.device)
    seed_everything(seed)

    # components and Gabor features of every pixel, and the network that reads patches of them
    fitted, features = fitted_and_features(image, labels, configuration, run.shared / "gabor")
    with settings_of(configuration.experiment):
        network = network_of(features, settings, image.scene.num_classes, device, seed)

    # mini-batches of flat pixel indices and their classes
    batches = MinibatchStream(labels.train, labels.train_pixels, settings["train"]["batch"], seed)
    val_targets = targets_of(labels.val, labels.val_pixels)

    state = _State(network)
    loop = EpochLoop(run, NPZ, settings["train"], batches, state, steps)
    first = labels.train_pixels[: settings["train"]["batch"]]
    expected = estimate(network, first, targets_of(labels.train, first), loop.total_steps, labels.train.size)
    with loop:
        loop.log.info("%s", expected)
        for epoch in loop.epochs(lambda: state.best.exhausted):
            for pixels, targets in loop.minibatches():
                loss = network.train_on(pixels, targets)  # forward, backward, and the step of Adam
                loop.step(loss, len(pixels), settings["optimizer"]["lr"])
            if loop.stopped:
                break
            numbers = validate(network, labels.val_pixels, val_targets)
            state.offer(epoch + 1, numbers["validation_loss"])
            sentence = "validation loss %.4f, validation OA %.2f %%"
            loop.end_epoch(numbers, sentence % (numbers["validation_loss"], 100 * numbers["validation_oa"]))
        if not loop.is_over:
            return None
        used = state.best.step or loop.epoch
        loop.log.info("the weights of epoch %d are used", used)

    last_weights = network.weights()
    if state.kept:  # no epoch is best where every loss was NaN
        network.set_numbers(state.kept)
    selection = {
        "step": loop.history.entries[used - 1]["step"],
        "on": "mean loss of %d validation pixels: best epoch" % labels.val_pixels.size,
        "last_step": loop.step_count,
    }
    report = Report(loop.history, selection, state.best.state_dict(), last_weights)
    model = describe_model(experiments.PAPER, configuration, image, labels, fitted.arrays())
    return FittedNetwork(model, fitted, network.weights(), device, report, trained_on=(image, network))


def seed_everything(seed: int) -> None:
    """Python and numpy; TensorFlow's seed belongs to the network's graph."""
    random.seed(seed)
    np.random.seed(seed)


def validate(network: Model, pixels: np.ndarray, targets: np.ndarray) -> Dict[str, float]:
    """Mean loss and overall accuracy (0..1) on flat pixel indices (n) with targets (n) 0..K−1."""
    loss_sum, right = 0.0, 0
    for start in range(0, len(pixels), BATCH):
        part = slice(start, start + BATCH)
        loss, logits = network.loss_and_logits(pixels[part], targets[part])
        loss_sum += float(loss) * len(logits)
        right += int((logits.argmax(axis=1) == targets[part]).sum())
    return {"validation_loss": loss_sum / len(pixels), "validation_oa": right / len(pixels)}


class _State:
    """The state of a training between epochs: all variables of the network, and the weights of the best epoch so
    far."""

    def __init__(self, network: Model) -> None:
        self._network = network
        self.best = BestStep(0)  # all epochs are trained; nothing stops early
        self.kept: Dict[str, np.ndarray] = {}  # weights of the best epoch

    def offer(self, epoch: int, validation_loss: float) -> None:
        """Keep the network's weights where an epoch, from 1, is the best one so far."""
        if self.best.offer(epoch, -validation_loss):
            self.kept = self._network.weights()

    def state_dict(self) -> Dict[str, Any]:
        return {"numbers": self._network.numbers(), "kept": self.kept, "best": self.best.state_dict()}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Raises: KeyError, ValueError for the state of another network."""
        self._network.set_numbers(state["numbers"])
        self.kept = state["kept"]
        self.best.load_state_dict(state["best"])
