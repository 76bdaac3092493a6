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
from apdclnn.tf_stack import FRAMEWORK_VERSION
from shared_data.cli.arguments import positive_number
from shared_data.runs import environment
from shared_data.scenes.catalogue import get_scene
from shared_data.timing import load_literal, medians, seconds, table_row

_LITERAL = Path(__file__).resolve().parents[1] / "tests" / "apdclnn_literal.py"


def build_models(experiment: str, device: str) -> Dict[str, Model]:
    """`literal` and `ours` with equal weights, on random features of a scene of 64×64 pixels."""
    config = experiments.load(experiment)
    random = np.random.RandomState(0)
    features = [
        random.standard_normal((64, 64, config[part]["components"])).astype(np.float32)
        for part in ("preprocessing", "gabor")
    ]
    classes, structure = get_scene(config["scene"]).num_classes, experiments.structure(config)

    def build() -> Model:
        return Model(features[0], features[1], classes, config["patch"]["side"], structure, 1e-3, device, seed=0)

    ours = build()
    with mock.patch.object(sspdcl, "pd_conv_lstm", load_literal(_LITERAL).pd_conv_lstm):
        literal = build()
    literal.set_numbers(ours.numbers())
    return {"literal": literal, "ours": ours}


def _medians(models: Dict[str, Model], action: Callable[[Model], Any], repeats: int) -> Dict[str, float]:
    return medians({name: partial(seconds, partial(action, model)) for name, model in models.items()}, repeats)[0]


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    models = build_models(arguments.experiment, select_device(arguments.device))
    batch = experiments.load(arguments.experiment)["train"]["batch"]
    pixels, targets = np.arange(batch), np.zeros(batch, np.int32)
    difference = np.abs(models["ours"].class_logits(pixels) - models["literal"].class_logits(pixels)).max()
    steps = _medians(models, lambda model: model.train_on(pixels, targets), arguments.repeats)
    many = np.arange(128)
    batches = _medians(models, lambda model: model.class_logits(many), arguments.repeats)
    print("%s, %d cores, %s; medians of %d; network of %s, mini-batches of %d"
          % (environment.cpu_name(), environment.usable_cores(), FRAMEWORK_VERSION, arguments.repeats,
             arguments.experiment, batch))  # fmt: skip
    for name in models:
        print("  %-8s step %.3f s, prediction %.0f patches/s" % (name, steps[name], len(many) / batches[name]))
    print("  ratio    %.2f step, %.2f prediction; largest difference of logits before training %.1e"
          % (steps["literal"] / steps["ours"], batches["literal"] / batches["ours"], difference))  # fmt: skip
    print(table_row("apdclnn " + arguments.experiment, steps), flush=True)
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the `bench` command."""
    parser.add_argument("--experiment", choices=experiments.names(), default="indianpines", metavar="CONFIGURATION")
    parser.add_argument("--repeats", type=positive_number, default=5, help="default: 5")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
