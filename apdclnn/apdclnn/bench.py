"""Time of a training step and of prediction: ours against PDConvLSTM2D equation by equation, on random components.

Both networks run alternately in one process, at the sizes of a scene.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict
from unittest import mock

import numpy as np

from apdclnn import experiments, sspdcl
from apdclnn.device import select_device
from apdclnn.model import Model
from apdclnn.tf_stack import FRAMEWORK_VERSION, tf
from shared_data.cli.arguments import positive_number
from shared_data.runs import environment
from shared_data.scenes.catalogue import get_scene
from shared_data.timing import (
    PEAK_CHANNELS,
    PEAK_SIDE,
    load_literal,
    medians,
    peak_flops,
    seconds,
    step_against_peak,
    table_row,
)

_LITERAL = Path(__file__).resolve().parents[1] / "tests" / "apdclnn_literal.py"


def build_ours(experiment: str, device: str, height: int = 64, width: int = 64) -> Model:
    """The model of a configuration, on random features of a scene of height×width pixels."""
    config = experiments.load(experiment)
    random = np.random.RandomState(0)
    components, filtered = (
        random.standard_normal((height, width, config[part]["components"])).astype(np.float32)
        for part in ("preprocessing", "gabor")
    )
    classes, structure = get_scene(config["scene"]).num_classes, experiments.structure(config)
    return Model(components, filtered, classes, config["patch"]["side"], structure, 1e-3, device, seed=0)


def build_models(experiment: str, device: str) -> Dict[str, Model]:
    """`literal` and `ours` with equal weights and features."""
    ours = build_ours(experiment, device)
    with mock.patch.object(sspdcl, "pd_conv_lstm", load_literal(_LITERAL).pd_conv_lstm):
        literal = build_ours(experiment, device)
    literal.set_numbers(ours.numbers())
    return {"literal": literal, "ours": ours}


def _medians(models: Dict[str, Model], action: Callable[[Model], Any], repeats: int) -> Dict[str, float]:
    return medians({name: partial(seconds, partial(action, model)) for name, model in models.items()}, repeats)[0]


def step_flops(model: Model, batch: int) -> float:
    """FLOP of a step's convolutions, each counted three times: forward, gradient of the kernel, of the input."""
    convolutions = [one for one in model.graph.get_operations() if one.type == "Conv2D"]
    return 3.0 * batch * sum(_forward_flops(one) for one in convolutions)


def _forward_flops(convolution: Any) -> int:
    _, height, width, _ = convolution.outputs[0].get_shape().as_list()
    return 2 * height * width * int(np.prod(convolution.inputs[1].get_shape().as_list()))


def device_peak(device: str) -> float:
    """FLOP/s of a large convolution, see `shared_data.timing.peak_flops`."""
    with tf.Graph().as_default(), tf.device(device), tf.Session() as session:
        # variables, because an operation on constants would be computed once and for all
        x = tf.Variable(tf.ones((1, PEAK_SIDE, PEAK_SIDE, PEAK_CHANNELS)))
        kernel = tf.Variable(tf.ones((3, 3, PEAK_CHANNELS, PEAK_CHANNELS)))
        convolution = tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME").op
        session.run(tf.global_variables_initializer())
        return peak_flops(partial(session.run, convolution))


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    device = select_device(arguments.device)
    models, peak = build_models(arguments.experiment, device), device_peak(device)
    batch = experiments.load(arguments.experiment)["train"]["batch"]
    pixels, targets = np.arange(batch), np.zeros(batch, np.int32)
    difference = np.abs(models["ours"].class_logits(pixels) - models["literal"].class_logits(pixels)).max()
    steps = _medians(models, lambda model: model.train_on(pixels, targets), arguments.repeats)
    many = np.arange(128)
    batches = _medians(models, lambda model: model.class_logits(many), arguments.repeats)
    print("%s, %d cores, %s; medians of %d; network of %s, mini-batches of %d"
          % (environment.cpu_name(), environment.usable_cores(), FRAMEWORK_VERSION, arguments.repeats,
             arguments.experiment, batch))  # fmt: skip
    work = step_flops(models["literal"], batch)
    print(step_against_peak(work, peak))
    for name in models:
        print("  %-8s step %.3f s, prediction %.0f patches/s" % (name, steps[name], len(many) / batches[name]))
    print("  ratio    %.2f step, %.2f prediction; largest difference of logits before training %.1e"
          % (steps["literal"] / steps["ours"], batches["literal"] / batches["ours"], difference))  # fmt: skip
    print(table_row("apdclnn " + arguments.experiment, steps, work, peak), flush=True)
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the `bench` command."""
    parser.add_argument("--experiment", choices=experiments.names(), default="indianpines", metavar="CONFIGURATION")
    parser.add_argument("--repeats", type=positive_number, default=5, help="default: 5")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
