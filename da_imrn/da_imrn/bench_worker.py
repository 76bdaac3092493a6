"""One side of the benchmark: a process that executes actions from its input, line by line, and prints their seconds.

    python -m da_imrn.bench_worker indianpines ours|literal

`ours` gathers patches from the scene and predicts in large batches. `literal` does as the release does: a network of
plain Keras layers (`tests/da_imrn_plain.py`), patches cut beforehand into a float64 array, mini-batches of 16
everywhere, and Python loops over the pixels of a prediction.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from da_imrn import experiments
from da_imrn.evaluation import accuracy_of_all_positions
from da_imrn.keras_stack import FRAMEWORK_VERSION, tf
from da_imrn.loss import focal_loss
from da_imrn.network import build_network
from da_imrn.optimizer import build_optimizer
from da_imrn.patches import gather, one_hot
from da_imrn.prediction import predict_patches
from shared_data.runs.environment import peak_memory_mb
from shared_data.scenes.catalogue import get_scene
from shared_data.timing import PEAK_CHANNELS, PEAK_SIDE, load_literal, peak_flops, seconds

BATCH = 16
VALIDATED = 256  # number of patches in a timed validation
PROTOCOL = "released"
_PLAIN = Path(__file__).resolve().parents[1] / "tests" / "da_imrn_plain.py"


class Side:
    """The network of a scene with random weights, on a random scene of its size."""

    def __init__(self, experiment: str) -> None:
        config = experiments.load(experiment)
        scene = get_scene(config["scene"])
        self.patch, self.classes = config["partition"]["patch"], scene.num_classes
        structure = experiments.structure(config, PROTOCOL)
        network, nadam = self.builders()
        self.model = network(self.patch, scene.bands, self.classes, structure)
        self.model.compile(nadam(config["optimizer"]["lr"]), loss=focal_loss)
        random = np.random.RandomState(0)
        self.cube = random.randint(0, 8000, (64, 64, scene.bands)).astype(np.uint16)
        self.corners = random.randint(0, 64 - self.patch, (VALIDATED, 2))
        self.labels = random.randint(0, self.classes + 1, (VALIDATED, self.patch, self.patch)).astype(np.uint8)
        self.prepare()

    def builders(self) -> Tuple[Any, Any]:
        """`build_network` of da_imrn.network and `build_optimizer` of da_imrn.optimizer, or their like."""
        raise NotImplementedError

    def prepare(self) -> None:
        """The preparation before training."""

    def step(self) -> None:
        """Patches and targets of a mini-batch, and an optimizer step."""
        raise NotImplementedError

    def validate(self) -> float:
        """Accuracy of all positions of the validation patches."""
        raise NotImplementedError

    def step_flops(self) -> float:
        """FLOP of a step's convolutions, each counted three times: forward, gradient of the kernel, of the input."""
        convolutions = [layer for layer in self.model.layers if type(layer).__name__ == "Conv3D"]
        forward = sum(
            2 * np.prod(layer.output_shape[1:]) * np.prod(layer.get_weights()[0].shape[:-1]) for layer in convolutions
        )
        return float(3 * BATCH * forward)


class Ours(Side):
    def builders(self) -> Tuple[Any, Any]:
        return build_network, build_optimizer

    def step(self) -> None:
        patches = gather(self.cube, self.corners[:BATCH], self.patch)
        self.model.train_on_batch(patches, one_hot(self.labels[:BATCH], self.classes))

    def validate(self) -> float:
        classes = predict_patches(self.model, self.cube, self.corners, self.patch)
        return accuracy_of_all_positions(classes, self.labels)


class Literal(Side):
    def builders(self) -> Tuple[Any, Any]:
        plain = load_literal(_PLAIN)
        return plain.build_network, plain.build_nadam

    def prepare(self) -> None:
        self.patches = gather(self.cube, self.corners, self.patch).astype(np.float64)
        self.targets = one_hot(self.labels, self.classes).astype(np.float64)

    def step(self) -> None:
        self.model.train_on_batch(self.patches[:BATCH], self.targets[:BATCH])

    def validate(self) -> float:
        probability = self.model.predict(self.patches, batch_size=BATCH, verbose=0)
        right = 0
        for i in range(VALIDATED):
            for row in range(self.patch):
                for column in range(self.patch):
                    target = self.targets[i, row, column, 0]
                    right += np.argmax(probability[i, row, column, 0]) == np.argmax(target)
        return right / float(self.labels.size)


SIDES = {"ours": Ours, "literal": Literal}


def device_peak() -> float:
    """FLOP/s of a large convolution, see `shared_data.timing.peak_flops`."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        # variables, because an operation on constants would be computed once and for all
        x = v1.Variable(tf.ones((1, PEAK_SIDE, PEAK_SIDE, PEAK_CHANNELS)))
        kernel = v1.Variable(tf.ones((3, 3, PEAK_CHANNELS, PEAK_CHANNELS)))
        convolution = v1.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME").op
        session.run(v1.global_variables_initializer())
        return peak_flops(partial(session.run, convolution))


def main(words: List[str]) -> int:
    """Answer each line of standard input (step, validate, memory, flops, peak) with a line of JSON."""
    side = SIDES[words[1]](words[0])
    actions: Dict[str, Callable[[], float]] = {
        "step": lambda: seconds(side.step),
        "validate": lambda: seconds(side.validate),
        "memory": peak_memory_mb,
        "flops": side.step_flops,
        "peak": device_peak,
    }
    print(json.dumps({"stack": FRAMEWORK_VERSION}), flush=True)
    for line in sys.stdin:
        print(json.dumps(actions[line.strip()]()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
