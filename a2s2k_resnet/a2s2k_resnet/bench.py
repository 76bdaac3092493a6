"""Time and memory of a training step, of evaluation and of an epoch: a network against the literal one of the tests.

The sizes are those of Indian Pines: 145×145 pixels, 200 bands, 10 249 labelled pixels of which 1018 train and 1018
validate, mini-batches of 16. The literal network takes its patches from a float64 array of all labelled pixels'
patches, as the release does; ours gathers them. Both run alternately in one process, with the same weights and
optimizer.
"""

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional, Type, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from a2s2k_resnet.device import device_name, select_device, wait_for
from a2s2k_resnet.experiments import PATCH_SIDES
from a2s2k_resnet.network import MODELS, build_network
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import pixel_logits
from shared_data.cli.arguments import positive_number
from shared_data.runs import environment
from shared_data.runs.allocator import keep_freed_memory
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

SIDE, BANDS, CLASSES, LABELLED = 145, 200, 16, 10249
TRAIN = VALIDATION = 1018
BATCH = 16
EVALUATED = 256  # number of patches in a timed evaluation
_FORM = "shared"
_LITERAL = Path(__file__).resolve().parents[1] / "tests" / "a2s2k_resnet_literal.py"

Action = Callable[[], None]


class Ours:
    """The package's network; patches are gathered from the padded scene (H, W, B) on the device."""

    def __init__(self, model: str, device: torch.device, scene: Optional[np.ndarray] = None) -> None:
        self.device, side = device, PATCH_SIDES.get(model, 7)
        torch.manual_seed(0)
        self.network = build_network(model, BANDS, CLASSES, side, _FORM).to(device)
        self.gatherer = PatchGatherer(random_scene() if scene is None else scene, side, device)

    def patches(self, pixels: Tensor) -> Tensor:
        return self.gatherer(pixels)

    def evaluate(self, pixels: Tensor) -> None:
        pixel_logits(self.network, self.gatherer, pixels)


class Literal:
    """The literal network; patches are cut beforehand and converted when a mini-batch needs them."""

    def __init__(self, model: str, device: torch.device) -> None:
        self.device, side = device, PATCH_SIDES.get(model, 7)
        torch.manual_seed(0)
        weights = build_network(model, BANDS, CLASSES, side, _FORM).state_dict()
        self.network = load_literal(_LITERAL).literal_network(model, BANDS, CLASSES, side, _FORM).to(device)
        self.network.load_state_dict(weights)
        self.array = materialised(random_scene().astype(np.float64), side)

    def patches(self, pixels: Tensor) -> Tensor:
        return torch.from_numpy(self.array[pixels.numpy()]).float().to(self.device)

    @torch.no_grad()
    def evaluate(self, pixels: Tensor) -> None:
        self.network.eval()
        for part in pixels.split(BATCH):
            self.network(self.patches(part))
        self.network.train()


SIDES: Dict[str, Union[Type[Literal], Type[Ours]]] = {"literal": Literal, "ours": Ours}


def random_scene() -> np.ndarray:
    """(145, 145, 200) float32, standardised as components are."""
    return np.random.RandomState(0).standard_normal((SIDE, SIDE, BANDS)).astype(np.float32)


def materialised(cube: np.ndarray, side: int) -> np.ndarray:
    """(10249, P, P, B) patches around the first pixels, in the dtype of the cube."""
    half = side // 2
    padded = np.pad(cube, ((half, half), (half, half), (0, 0)), mode="constant")
    patches = np.empty((LABELLED, side, side, BANDS), cube.dtype)
    for pixel in range(LABELLED):
        row, column = divmod(pixel, SIDE)
        patches[pixel] = padded[row : row + side, column : column + side]
    return patches


def training_step(subject: Union[Ours, Literal]) -> Action:
    """Patches of a mini-batch, forward, cross-entropy, backward, Adam."""
    optimizer = torch.optim.Adam(subject.network.parameters(), lr=1e-3)
    pixels, labels = minibatch(BATCH), torch.arange(BATCH, device=subject.device) % CLASSES

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(subject.network(subject.patches(pixels)), labels).backward()
        optimizer.step()

    return step


def step_flops(step: Action) -> Optional[float]:
    """FLOP of a training step's convolutions and matrix products, forward and backward; it is done once.

    None where PyTorch cannot count them (before version 2.1).
    """
    try:
        from torch.utils.flop_counter import FlopCounterMode
    except ImportError:
        return None
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def device_peak(device: torch.device) -> float:
    """FLOP/s of a large convolution, see `shared_data.timing.peak_flops`."""
    x = torch.randn(1, PEAK_CHANNELS, PEAK_SIDE, PEAK_SIDE, device=device)
    weight = torch.randn(PEAK_CHANNELS, PEAK_CHANNELS, 3, 3, device=device)
    return peak_flops(partial(F.conv2d, x, weight, padding=1), partial(wait_for, device))


def minibatch(size: int) -> Tensor:
    """Flat indices of some of the labelled pixels, in random order."""
    return torch.randperm(LABELLED, generator=torch.Generator().manual_seed(1))[:size]


def _medians(actions: Mapping[str, Action], repeats: int, device: torch.device) -> Dict[str, float]:
    timed = {name: partial(seconds, action, partial(wait_for, device)) for name, action in actions.items()}
    return medians(timed, repeats)[0]


def memory_of(model: str, which: str) -> Dict[str, float]:
    """Resident memory (10^6 bytes) of a process after its imports, and its peak over two steps and an evaluation."""
    words = [sys.executable, "-m", "a2s2k_resnet", "bench", "--memory", which, "--model", model]
    return json.loads(subprocess.check_output(words))


def print_memory(model: str, which: str) -> int:
    """The output that `memory_of` reads."""
    keep_freed_memory()
    imported = environment.peak_memory_mb()
    subject = SIDES[which](model, torch.device("cpu"))
    step = training_step(subject)
    for _ in range(2):  # from the second on the optimizer holds its moments
        step()
    subject.evaluate(minibatch(EVALUATED))
    print(json.dumps({"imported": imported, "peak": environment.peak_memory_mb()}))
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    model = arguments.model
    if arguments.memory:
        return print_memory(model, arguments.memory)
    device = select_device(arguments.device)
    keep_freed_memory()
    hardware = device_name(device) or "%s, %d cores" % (environment.cpu_name(), environment.usable_cores())
    print("%s; PyTorch %s; %s, medians of %d" % (hardware, torch.__version__, model, arguments.repeats), flush=True)
    # first, while this process is small
    memory = {name: memory_of(model, name) for name in SIDES} if device.type == "cpu" else {}
    peak = device_peak(device)
    subjects = {name: kind(model, device) for name, kind in SIDES.items()}
    actions = {name: training_step(subject) for name, subject in subjects.items()}
    steps, work = _medians(actions, arguments.repeats, device), step_flops(actions["literal"])
    if work is not None:
        print(step_against_peak(work, peak), flush=True)
    pixels = minibatch(EVALUATED)
    evaluations = _medians(
        {name: partial(subject.evaluate, pixels) for name, subject in subjects.items()},
        arguments.repeats,
        device,
    )
    epochs = {name: epoch_seconds(steps[name], evaluations[name]) for name in SIDES}
    for name in SIDES:
        line = "  %-8s training step %.4f s, evaluation %.0f patches/s, epoch with validation %.2f s" % (
            name, steps[name], EVALUATED / evaluations[name], epochs[name])  # fmt: skip
        if memory:
            line += ", peak memory %.0f MB (%.0f MB after the imports)" % (
                memory[name]["peak"], memory[name]["imported"])  # fmt: skip
        print(line, flush=True)
    ratios = tuple(times["literal"] / times["ours"] for times in (steps, evaluations, epochs))
    print("  ratio    %.2f training step, %.2f evaluation, %.2f epoch" % ratios)
    print(table_row("%s indianpines" % model, steps, work, peak), flush=True)
    return 0


def epoch_seconds(step: float, evaluation: float) -> float:
    """An epoch of Indian Pines: as many steps as the training pixels need, and the validation pixels once."""
    return -(-TRAIN // BATCH) * step + VALIDATION / EVALUATED * evaluation


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the `bench` command."""
    parser.add_argument("--model", choices=sorted(MODELS), default="a2s2k", help="default: a2s2k")
    parser.add_argument("--repeats", type=positive_number, default=9, help="default: 9")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--memory", choices=tuple(SIDES), help=argparse.SUPPRESS)
