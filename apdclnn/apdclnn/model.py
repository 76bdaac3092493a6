"""The network in a TensorFlow graph and session: training steps, logits, and all variables."""

import warnings
from typing import Any, Dict, Optional

import numpy as np

from apdclnn.attention_loss import loss
from apdclnn.network import Structure, build_network
from apdclnn.patches import PatchTable
from apdclnn.tf_stack import tf, tflearn
from shared_data.runs.model_file import mismatch


class Model:
    """APDCLNN with fresh weights on a scene.

    components: (H, W, T) float32. gabor: (H, W, T') float32, None where the structure has no Gabor features. Both are
    on the device, unless they are memory-mapped: then patches are read from the file.
    side: P, odd. device: as TensorFlow names it. seed: of the initial weights.
    Raises: ValueError for sizes that do not fit.
    """

    def __init__(
        self, components: np.ndarray, gabor: Optional[np.ndarray], num_classes: int, side: int, structure: Structure,
        learning_rate: float, device: str, seed: int,
    ) -> None:  # fmt: skip
        self.graph = tf.Graph()
        with self.graph.as_default(), tf.device(device):
            tf.set_random_seed(seed)
            tflearn.config.init_training_mode()
            self._pixels = tf.placeholder(tf.int32, (None,))
            self._targets = tf.placeholder(tf.int32, (None,))
            self._tables = [PatchTable(features, side) for features in (components, gabor) if features is not None]
            patches = [table(self._pixels) for table in self._tables] + [None]
            self.logits = build_network(patches[0], patches[1], num_classes, structure)
            self.loss = loss(self.logits.main, self.logits.auxiliary, self._targets)
            self._step = self._build_step(learning_rate)
            # BatchNorm's training mode is the session's state, not a variable of the model
            self._variables = {v.op.name: v for v in tf.global_variables() if v.op.name != "is_training"}
            variables = self._variables.items()
            self._given = {name: tf.placeholder(v.dtype.base_dtype, v.get_shape()) for name, v in variables}
            self._assigned = {name: tf.assign(v, self._given[name]).op for name, v in variables}
            self.session = tf.Session(config=_session_config())
            self.session.run(tf.global_variables_initializer())
        for table in self._tables:
            table.fill(self.session)
        self._training = False
        self._set_training(False)

    def _build_step(self, learning_rate: float) -> Any:
        with warnings.catch_warnings():
            # sampling at offsets has a sparse gradient, which becomes a dense one of the map's size
            warnings.filterwarnings("ignore", message="Converting sparse IndexedSlices")
            return tflearn.optimizers.Adam(learning_rate).get_tensor().minimize(self.loss)

    def _set_training(self, training: bool) -> None:
        with self.graph.as_default():
            tflearn.is_training(training, session=self.session)
        self._training = training

    def _run(self, training: bool, fetched: Any, pixels: np.ndarray, targets: Optional[np.ndarray] = None) -> Any:
        if training != self._training:
            self._set_training(training)
        fed = {self._pixels: pixels}
        for table in self._tables:
            fed.update(table.fed(pixels))
        if targets is not None:
            fed[self._targets] = targets
        return self.session.run(fetched, fed)

    def train_on(self, pixels: np.ndarray, targets: np.ndarray) -> float:
        """One step of Adam on flat pixel indices (n) with targets (n) 0..K−1; the loss before it."""
        return float(self._run(True, [self.loss, self._step], pixels, targets)[0])

    def class_logits(self, pixels: np.ndarray) -> np.ndarray:
        """Logits (n, K) of flat pixel indices (n), with the moving statistics of BatchNorm."""
        return self._run(False, self.logits.main, pixels)

    def loss_and_logits(self, pixels: np.ndarray, targets: np.ndarray) -> Any:
        """The loss and the logits (n, K), with the moving statistics."""
        return self._run(False, [self.loss, self.logits.main], pixels, targets)

    def numbers(self) -> Dict[str, np.ndarray]:
        """All variables by name: weights, moving statistics, Adam's moments."""
        return self.session.run(self._variables)

    def weights(self) -> Dict[str, np.ndarray]:
        """The variables for prediction: `numbers` without Adam's."""
        names = [name for name in self._variables if not _belongs_to_adam(name)]
        return self.session.run({name: self._variables[name] for name in names})

    def set_numbers(self, numbers: Dict[str, np.ndarray]) -> None:
        """Overwrite variables; Adam's may be absent. Raises: ValueError naming missing and surplus variables."""
        needed = {name for name in self._variables if not _belongs_to_adam(name)}
        own = {name: self._given[name] for name in sorted(self._variables) if name in needed or name in numbers}
        reason = mismatch({name: _Shaped(given) for name, given in own.items()}, numbers)
        if reason:
            raise ValueError(reason)
        # one call for all of them, because each new set of operations prepares the graph anew
        fed = {self._given[name]: values for name, values in numbers.items()}
        self.session.run([self._assigned[name] for name in sorted(numbers)], fed)


def _belongs_to_adam(name: str) -> bool:
    return "Adam" in name.rpartition("/")[2] or name in ("beta1_power", "beta2_power")


class _Shaped:
    """A placeholder with its shape as numpy's."""

    def __init__(self, placeholder: Any) -> None:
        self.shape = tuple(placeholder.get_shape().as_list())


def _session_config() -> Any:
    config = tf.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    return config
