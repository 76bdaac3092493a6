"""Training: scene → windows with labels → patches → mini-batches → network → epochs with early stopping → weights."""

import random
from typing import Any, Dict, List, Optional

import numpy as np

from da_imrn import experiments, optimizer
from da_imrn.device import select_device
from da_imrn.evaluation import ACCURACIES
from da_imrn.keras_stack import keras, tf
from da_imrn.labels import WindowLabels
from da_imrn.loss import focal_loss
from da_imrn.patches import MinibatchStream, training_patches, validation_patches
from da_imrn.predict import FittedNetwork, preprocess
from da_imrn.prediction import predict_patches
from da_imrn.weights import by_name
from shared_data.errors import settings_of
from shared_data.runs.epoch_loop import EpochLoop
from shared_data.runs.method import Report, Run
from shared_data.runs.npz_checkpoint import NPZ
from shared_data.runs.request import Configuration
from shared_data.runs.selection import BestStep
from shared_data.scenes.loading import SceneImage


def fit(
    image: SceneImage,
    labels: WindowLabels,
    configuration: Configuration,
    seed: int,
    run: Run,
    steps: Optional[int] = None,
) -> Optional[FittedNetwork]:
    """Train on a scene: its training windows train, its validation windows choose the epoch whose weights are used.

    Resumes from the newest checkpoint in the run's folder. steps: upper limit of optimizer steps. None where a signal
    stopped it. Networks fitted or loaded earlier in this process can no longer predict, because Keras' session is
    cleared.
    Raises: SettingsError where sizes do not fit; DeviceError; CheckpointError; OSError where something cannot be
    written.
    """
    settings, decisions = configuration.settings, configuration.decisions
    patch, train = settings["partition"]["patch"], settings["train"]
    # resets the layers' names, because TensorFlow's order of summing gradients depends on them
    keras.backend.clear_session()
    device = select_device(run.device)
    model = preprocess(image, labels, configuration, seed)

    seed_everything(seed)
    with settings_of(configuration.experiment), tf.device(device):
        network = experiments.network_of(settings, configuration.protocol, model.bands, model.num_classes)
        network.compile(optimizer.build_optimizer(settings["optimizer"]["lr"]), loss=focal_loss)
        optimizer.create_state(network)  # Keras would create it in the first step, and trace that step twice

    training = training_patches(labels.windows, patch, np.random.RandomState(seed))
    batches = MinibatchStream(image.cube, training, model.num_classes, train["batch"], seed)
    validation = validation_patches(labels.windows, patch)
    state = _State(network, train["patience"])

    with EpochLoop(run, NPZ, train, batches, state, steps) as loop, tf.device(device):
        for epoch in loop.epochs(lambda: state.best.exhausted):
            rate = learning_rate(settings["optimizer"], epoch)
            optimizer.set_learning_rate(network, rate)
            for patches, targets in loop.minibatches():
                loss = float(network.train_on_batch(patches, targets))  # forward, backward, and the step of Nadam
                loop.step(loss, len(patches), rate)
            if loop.stopped:
                break
            classes = predict_patches(network, image.cube, validation.corners, patch)
            found = {name: accuracy(classes, validation.labels) for name, accuracy in ACCURACIES.items()}
            if state.best.offer(epoch + 1, found[decisions.monitored]):
                state.kept = network.get_weights()
            numbers = {"validation_" + name: value for name, value in found.items()}
            numbers["learning_rate"] = optimizer.get_learning_rate(network)
            sentence = "validation accuracy %.2f %% of all positions, %.2f %% of the labelled"
            loop.end_epoch(numbers, sentence % tuple(100 * value for value in found.values()))
        if not loop.is_over:
            return None
        if state.best.exhausted:
            loop.log.info("no better validation accuracy in %d epochs", state.best.patience)
        used = state.best.step or loop.epoch
        loop.log.info("the weights of epoch %d are used", used)

    last_weights = by_name(network)
    if state.kept:  # no epoch is best where every accuracy was NaN
        network.set_weights(state.kept)
    monitored = decisions.monitored.replace("_", " ")
    selection = {
        "step": loop.history.entries[used - 1]["step"],
        "on": "accuracy of %s in %d validation patches: best epoch" % (monitored, validation.size),
        "last_step": loop.step_count,
    }
    report = Report(loop.history, selection, state.best.state_dict(), last_weights)
    return FittedNetwork(network, model, device, report, labels.windows)


def seed_everything(seed: int) -> None:
    """Python, numpy and TensorFlow (all devices) from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    if hasattr(keras.utils, "set_random_seed"):
        keras.utils.set_random_seed(seed)  # the initial weights of current Keras come from a generator of its own
    else:
        tf.compat.v1.set_random_seed(seed)


def learning_rate(settings: Dict[str, Any], epoch: int) -> float:
    """The learning rate of an epoch, counted from 0. settings: `optimizer` of a configuration."""
    return settings["lr"] * settings["drop"] ** (epoch // settings["drop_every"])


class _State:
    """The state of a training between epochs, beside the mini-batches': network, optimizer, weights of the best epoch
    so far."""

    def __init__(self, network: Any, patience: int) -> None:
        self._network = network
        self.best = BestStep(patience)
        self.kept: List[np.ndarray] = []

    def state_dict(self) -> Dict[str, Any]:
        return {
            "weights": self._network.get_weights(),
            "optimizer": optimizer.get_state(self._network),
            "kept": self.kept,
            "best": self.best.state_dict(),
        }

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Raises: KeyError, ValueError for the state of another network."""
        self._network.set_weights(state["weights"])
        optimizer.set_state(self._network, state["optimizer"])
        self.kept = state["kept"]
        self.best.load_state_dict(state["best"])
