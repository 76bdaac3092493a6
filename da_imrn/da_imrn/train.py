"""One run: scene → partition → patches → epochs with early stopping → every pixel's class → results."""

import random
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from da_imrn import experiments, optimizer
from da_imrn.decisions import as_dict, decide
from da_imrn.device import device_name, peak_memory_mb, select_device
from da_imrn.evaluation import ACCURACIES, average_accuracy_plus_one
from da_imrn.keras_stack import FRAMEWORK, FRAMEWORK_VERSION, keras, tf
from da_imrn.loss import focal_loss
from da_imrn.partition import Partition
from da_imrn.partition_audit import audit as audit_partition
from da_imrn.patches import MinibatchStream, in_grid, op_patches, training_patches, validation_patches
from da_imrn.predata import evidence_of
from da_imrn.prediction import predict_patches, predict_scene, seen_by_tiles
from da_imrn.weights import write_weights
from shared_data.audit import Audit
from shared_data.audit.run import Subject, audit_run
from shared_data.errors import SettingsError, settings_of
from shared_data.evaluation.metrics import evaluate
from shared_data.runs import environment, npz_checkpoint
from shared_data.runs.epoch_run import EpochRun, Validated
from shared_data.runs.log import RunLog
from shared_data.runs.model_file import describe_model
from shared_data.runs.outputs import Results
from shared_data.runs.reproduce import reproduce_once
from shared_data.runs.request import Outcome, Request
from shared_data.runs.selection import BestStep
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.draws import Split

PAPER = "da-imrn"


def seed_everything(seed: int) -> None:
    """Python, numpy and TensorFlow (all devices) from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    if hasattr(keras.utils, "set_random_seed"):
        keras.utils.set_random_seed(seed)  # the initial weights of current Keras come from a generator of its own
    else:
        tf.compat.v1.set_random_seed(seed)


def split_of(partition: Partition, patch: int, tested: str) -> Split:
    """The pixels of a partition's count maps, and the labels left for the test.

    tested: `grid`, the positions of the release's test patches, or `scene`.
    Raises: SettingsError where no pixel is left to test.
    """
    left = partition.test_labels > 0
    if tested == "grid":
        left &= in_grid(left.shape[0], left.shape[1], patch)
    if not left.any():
        raise SettingsError("the windows of this partition leave no labelled pixel to test; draw fewer of them.")
    return Split(*(np.flatnonzero(part) for part in (partition.train_map, partition.val_map, left)))


class DAIMRNRun(EpochRun):
    """Everything a run builds before its first step.

    config: of `experiments.load`. partition: its training windows train, its validation windows choose the weights;
    the labels of test and op pixels are read in `results`, for the first time.
    Raises: SettingsError where sizes do not fit; DeviceError.
    """

    format = npz_checkpoint.NPZ

    def __init__(self, request: Request, config: Dict[str, Any], loaded: LoadedScene, partition: Partition) -> None:
        super().__init__(config["train"])
        self.request, self.config, self.loaded, self.partition = request, config, loaded, partition
        self.decisions = decide(request.protocol)
        self.device = select_device(request.device)
        self.patch = config["partition"]["patch"]
        self.split = split_of(partition, self.patch, self.decisions.tested)
        seed_everything(request.seed)
        with settings_of(request.experiment), tf.device(self.device):
            self.network = self._build_network()
        classes, batch = loaded.scene.num_classes, config["train"]["batch"]
        training = training_patches(partition, self.patch, np.random.RandomState(request.seed))
        self.stream = MinibatchStream(loaded.cube, training, classes, batch, request.seed)
        self.validation = validation_patches(partition, self.patch)
        self.best = BestStep(config["train"]["patience"])
        self.kept: List[np.ndarray] = []  # weights of the best epoch

    def _build_network(self) -> Any:
        scene = self.loaded.scene
        network = experiments.network_of(self.config, self.request.protocol, scene.bands, scene.num_classes)
        network.compile(optimizer.build_optimizer(self.config["optimizer"]["lr"]), loss=focal_loss)
        optimizer.create_state(network)  # Keras would make it in the first step, and trace that step twice
        return network

    # training

    def learning_rate(self) -> float:
        """Of the epoch that is about to begin."""
        settings = self.config["optimizer"]
        return settings["lr"] * settings["drop"] ** (self.epoch // settings["drop_every"])

    def begin_epoch(self) -> None:
        optimizer.set_learning_rate(self.network, self.learning_rate())

    def train_on(self, batch: Tuple[np.ndarray, np.ndarray]) -> Tuple[float, int]:
        """One optimizer step; the loss and the number of patches."""
        with tf.device(self.device):
            return float(self.network.train_on_batch(*batch)), len(batch[0])

    def end_epoch(self) -> Validated:
        classes = self._classes_at(self.validation.corners)
        numbers = {
            "validation_%s" % name: accuracy(classes, self.validation.labels) for name, accuracy in ACCURACIES.items()
        }
        if self.best.offer(self.epoch, numbers["validation_%s" % self.decisions.monitored]):
            self.kept = self.network.get_weights()
        numbers["learning_rate"] = float(keras.backend.get_value(self.network.optimizer.learning_rate))
        sentence = "validation accuracy %.2f %% of all positions, %.2f %% of the labelled"
        return Validated(numbers, sentence % tuple(100 * numbers["validation_%s" % name] for name in ACCURACIES))

    def _classes_at(self, corners: np.ndarray) -> np.ndarray:
        """(N, b, b) classes of the patches at these corners."""
        with tf.device(self.device):
            return predict_patches(self.network, self.loaded.cube, corners, self.patch)

    @property
    def exhausted(self) -> bool:
        return self.best.exhausted

    def use_selected(self, folder: Path, log: RunLog) -> None:
        """Give the network the weights of the best epoch."""
        if self.exhausted:
            log.info("no better validation accuracy in %d epochs", self.best.patience)
        if self.kept:  # nothing is, where the accuracy never was a number
            self.network.set_weights(self.kept)
        log.info("the weights of epoch %d are used", self.best.step or self.epoch)
        # raw digital numbers go into the network: no statistics to keep
        described = describe_model(PAPER, self.request, self.config, self.loaded, self.split, {})
        write_weights(folder / "selected.hdf5", self.network, described)

    def state(self) -> Dict[str, Any]:
        return {
            "weights": self.network.get_weights(),
            "optimizer": optimizer.get_state(self.network),
            "kept": self.kept,
            "best": self.best.state_dict(),
        }

    def restore(self, state: Dict[str, Any]) -> None:
        self.network.set_weights(state["weights"])
        optimizer.set_state(self.network, state["optimizer"])
        self.kept = state["kept"]
        self.best.load_state_dict(state["best"])

    # after training

    def predict(self) -> np.ndarray:
        """(H, W) uint8 classes of every pixel of the scene."""
        with tf.device(self.device):
            return predict_scene(self.network, self.loaded.cube, self.patch)

    def weights(self) -> Dict[str, np.ndarray]:
        # names of layers count up within a process
        return {"%03d" % index: values for index, values in enumerate(self.network.get_weights())}

    def inputs(self, pixels: np.ndarray) -> np.ndarray:
        return self.loaded.cube.reshape(-1, self.loaded.scene.bands)[pixels].astype(np.float32)

    def sees(self, mask: np.ndarray) -> np.ndarray:
        return seen_by_tiles(mask, self.patch)

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
            memory={"peak_rss_mb": environment.peak_memory_mb(), "peak_gpu_mb": peak_memory_mb(self.device)},
            extra_metrics=dict(self._op_metrics(), **self._second_aa(prediction)),
            audit=self._audit(),
        )

    def _selection(self) -> Dict[str, Any]:
        epoch = self.best.step or self.epoch
        monitored = self.decisions.monitored.replace("_", " ")
        return {
            "step": self.history.entries[epoch - 1]["step"],
            "on": "accuracy of %s in %d validation patches: best epoch" % (monitored, self.validation.size),
            "last_step": self.step,
        }

    def _op_metrics(self) -> Dict[str, float]:
        """Metrics on the labels held out inside training windows: what leakage would have flattered the result to."""
        patches = op_patches(self.partition, self.patch)
        if not patches.size:
            return {}
        held_out = patches.labels > 0
        classes = self._classes_at(patches.corners)[held_out]
        found = evaluate(patches.labels[held_out], classes, self.loaded.scene.num_classes)
        return {"oa_op": found.oa, "aa_op": found.aa, "kappa_op": found.kappa}

    def _second_aa(self, prediction: np.ndarray) -> Dict[str, float]:
        if self.decisions.aa_beside_recall != "n_plus_one":
            return {}
        test = self.split.test
        truth, classes = self.loaded.ground_truth.ravel()[test], prediction.ravel()[test]
        return {"aa_released": average_accuracy_plus_one(truth, classes, self.loaded.scene.num_classes)}

    def _audit(self) -> Dict[str, Any]:
        rule, _, _ = experiments.partition_rule(self.config, self.request.protocol)
        return audit_partition(self.partition, self.loaded.ground_truth, rule)


def resolve(request: Request) -> Tuple[Dict[str, Any], LoadedScene]:
    """The configuration with the request's changes, and the scene; where the request names the official predata, their
    files are among the scene's evidence, because they decide the result too.

    Raises: UnknownNameError, SettingsError, SplitError; what `load_scene` raises.
    """
    config = experiments.load(request.experiment, request.overrides)
    if request.iterations is not None:
        config["train"]["num_iters"] = request.iterations
    loaded = load_scene(config["scene"], request.data, request.unverified)
    predata = _predata(request, config, loaded)
    if predata is not None:
        loaded = loaded._replace(files=loaded.files + evidence_of(predata.files))
    return config, loaded


def _predata(request: Request, config: Dict[str, Any], loaded: LoadedScene) -> Optional[experiments.Predata]:
    return experiments.find_predata(request.predata, config, request.protocol, loaded.scene.bands, request.seed)


def partition_of_request(request: Request, config: Dict[str, Any], loaded: LoadedScene) -> Partition:
    """The partition a request trains on. Raises: SplitError, SettingsError."""
    predata = _predata(request, config, loaded)
    with settings_of(request.experiment):
        return experiments.partition_for(config, request.protocol, loaded, request.seed, predata)


def prepare(
    request: Request, config: Dict[str, Any], loaded: LoadedScene, partition: Optional[Partition] = None
) -> DAIMRNRun:
    """The run of a request; its partition is that of the seed unless one is given.

    Raises: SplitError; see `DAIMRNRun`.
    """
    if partition is None:
        partition = partition_of_request(request, config, loaded)
    return DAIMRNRun(request, config, loaded, partition)


def subject(request: Request) -> Subject:
    """The run of a request for the audit. Raises: as `reproduce`."""
    config, loaded = resolve(request)
    partition = partition_of_request(request, config, loaded)

    def prepare_altered(altered: LoadedScene) -> DAIMRNRun:
        keras.backend.clear_session()
        tested = np.where(partition.test_labels > 0, altered.ground_truth, 0).astype(np.uint8)
        return DAIMRNRun(request, config, altered, partition._replace(test_labels=tested))

    patch, tested = config["partition"]["patch"], decide(request.protocol).tested
    return Subject(config, loaded, split_of(partition, patch, tested), prepare_altered)


def audit(request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Find out what reaches training; see `shared_data.audit.run`."""
    return audit_run(PAPER, subject, request, kept_record)


def reproduce(request: Request) -> Outcome:
    """Run, or resume, or report a finished run. The record is None where a signal stopped it.

    Raises: SharedDataError with a sentence for the user.
    """
    config, loaded = resolve(request)
    keras.backend.clear_session()  # of an earlier run in this process
    packaged = experiments.load(request.experiment)
    return reproduce_once(PAPER, request, config, packaged, loaded, lambda: prepare(request, config, loaded))
