# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""Time and memory of one training step and one evaluation: a paper's network against the literal one of its tests.

Both run alternately in one process, with the same weights, mini-batch, loss and optimizer. A slow literal network is
repeated until its time limit.
"""

import argparse
import json
import subprocess
import sys
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shared_data.cli.arguments import positive_number
from shared_data.configuration.overrides import load_config
from shared_data.preprocessing.standardise import padded_side
from shared_data.runs import environment
from shared_data.runs.allocator import keep_freed_memory
from shared_data.scenes.catalogue import get_scene
from shared_data.timing import PEAK_CHANNELS, PEAK_SIDE, medians, peak_flops, seconds, step_against_peak, table_row
from simplecv.util.device import device_name, select_device

from .encoder_decoder import EncoderDecoder

Action = Callable[[], None]


class Subject(ABC):
    """A paper's two networks, with their losses."""

    PACKAGE: str  # of `python -m`
    CONFIGS: Path
    SIZES = ("indianpines", "pavia")  # configurations whose network and scene size can be timed; the first by default

    @abstractmethod
    def ours(self, network: Dict[str, Any]) -> EncoderDecoder:
        """The network of the package."""

    @abstractmethod
    def literal(self, network: Dict[str, Any]) -> nn.Module:
        """The network of tests/<package>_literal.py, with the same state_dict keys and a method `features`."""

    @abstractmethod
    def loss_of_ours(self, network: EncoderDecoder, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        """The training loss as the package computes it."""

    @abstractmethod
    def loss_of_literal(self, network: nn.Module, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        """The same number, equation by equation."""

    def network_of(self, size: str) -> Dict[str, Any]:
        """The network's part of a configuration."""
        scene = get_scene(size)
        params = load_config(self.CONFIGS, size)["model"]["params"]
        return dict(params, in_channels=scene.bands, num_classes=scene.num_classes)

    def padded_sides(self, size: str) -> Tuple[int, int]:
        """Height and width of the scene as the network sees it."""
        scene = get_scene(size)
        return padded_side(scene.height, EncoderDecoder.STRIDE), padded_side(scene.width, EncoderDecoder.STRIDE)

    def build(self, size: str, which: str, device: torch.device) -> nn.Module:
        """The network of a size, `ours` or `literal`, with the same weights."""
        network = self.network_of(size)
        torch.manual_seed(0)
        ours = self.ours(network).to(device)
        if which == "ours":
            return ours
        literal = self.literal(network).to(device)
        literal.load_state_dict(ours.state_dict())
        return literal

    def minibatch(self, size: str, device: torch.device) -> Tuple[Tensor, Tensor, Tensor]:
        """Random x (1, B, H, W), labels y (1, H, W), and w (1, H, W) with ten sampled pixels of every class."""
        generator = torch.Generator().manual_seed(0)
        sides, network = self.padded_sides(size), self.network_of(size)
        x = torch.randn(1, network["in_channels"], *sides, generator=generator)
        y = torch.randint(1, network["num_classes"] + 1, (1, *sides), generator=generator)
        w = torch.zeros(y.numel())
        for label in range(1, network["num_classes"] + 1):
            w[torch.nonzero(y.flatten() == label)[:10, 0]] = 1
        return x.to(device), y.to(device), w.view(1, *sides).to(device)

    def training_step(self, network: nn.Module, batch: Tuple[Tensor, Tensor, Tensor]) -> Action:
        """Forward, loss, backward, clipping and SGD."""
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-3)
        loss_of = self.loss_of_ours if isinstance(network, EncoderDecoder) else self.loss_of_literal

        def step() -> None:
            optimizer.zero_grad()
            loss_of(network, *batch).backward()
            nn.utils.clip_grad_norm_([p for p in network.parameters() if p.grad is not None], 35)
            optimizer.step()

        return step

    def step_flops(self, size: str) -> float:
        """FLOP of the literal training step's convolutions: forward, gradient of the kernel, gradient of the input.

        The scene itself needs no gradient, so the stem counts twice and every other convolution three times.
        """
        network = self.build(size, "literal", torch.device("cpu"))
        stem = network.feature_ops[0][0]
        total = 0

        def count(module: nn.Module, inputs: Any, output: Tensor) -> None:
            nonlocal total
            forward = 2 * output.numel() * module.weight[0].numel()
            total += forward * (2 if module is stem else 3)

        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Conv3d)):
                module.register_forward_hook(count)
        sides, tile = self.padded_sides(size), torch.zeros(1, stem.in_channels, 16, 16)
        with torch.no_grad():
            evaluation(network, tile)()
        return float(total) * sides[0] * sides[1] / (16 * 16)

    def memory_of(self, size: str, which: str) -> float:
        """Peak resident memory (10^6 bytes) of a process that does two training steps of one network."""
        words = [sys.executable, "-m", self.PACKAGE, "bench", "--memory", which, "--size", size]
        return json.loads(subprocess.check_output(words))

    def print_memory(self, size: str, which: str) -> int:
        """The output that `memory_of` reads."""
        keep_freed_memory()
        cpu = torch.device("cpu")
        step = self.training_step(self.build(size, which, cpu), self.minibatch(size, cpu))
        for _ in range(2):  # from the second on the optimizer holds its momentum
            step()
        print(json.dumps(environment.peak_memory_mb()))
        return 0

    def run(self, arguments: argparse.Namespace) -> int:
        """Print the comparison for every size that was asked for."""
        sizes = arguments.size or self.SIZES[:1]
        if arguments.memory:
            return self.print_memory(sizes[0], arguments.memory)
        device = select_device(arguments.device)
        tuned = keep_freed_memory()
        hardware = device_name(device) or "%s, %d cores" % (environment.cpu_name(), environment.usable_cores())
        peak = device_peak(device)
        print("%s; PyTorch %s" % (hardware, torch.__version__))
        print("freed memory is %s" % ("kept for both networks" if tuned else "returned to the system"))
        for size in sizes:
            self._compare(size, device, peak, arguments)
        return 0

    def _compare(self, size: str, device: torch.device, peak: float, arguments: argparse.Namespace) -> None:
        batch, work = self.minibatch(size, device), self.step_flops(size)
        print("\n%s (%d×%d, %d bands)" % ((size, *self.padded_sides(size), batch[0].shape[1])), flush=True)
        print(step_against_peak(work, peak), flush=True)
        # first, while this process is small: two large scenes at once may not fit into memory
        memory = {name: self.memory_of(size, name) for name in ("literal", "ours") if device.type == "cpu"}
        networks = {name: self.build(size, name, device) for name in ("literal", "ours")}
        forward, turns = _medians(
            {name: evaluation(network, batch[0]) for name, network in networks.items()}, arguments, device
        )
        steps, repeats = _medians(
            {name: self.training_step(network, batch) for name, network in networks.items()}, arguments, device
        )
        print("  medians of %d training steps and %d evaluations" % (repeats, turns))
        for name in ("literal", "ours"):
            line = "  %-8s training step %.3f s (%.0f %% of the peak on the literal count), evaluation %.3f s" % (
                name, steps[name], 100 * work / peak / steps[name], forward[name])  # fmt: skip
            if name in memory:
                line += ", peak memory %.0f MB" % memory[name]
            print(line, flush=True)
        print(
            "  ratio    %.2f training, %.2f evaluation"
            % (steps["literal"] / steps["ours"], forward["literal"] / forward["ours"])
        )
        print(table_row("%s %s" % (self.PACKAGE, size), steps, work, peak), flush=True)

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Options of the `bench` command."""
        parser.add_argument(
            "--size", choices=self.SIZES, action="append", help="may be given twice; default: indianpines"
        )
        parser.add_argument("--repeats", type=positive_number, default=9)
        parser.add_argument(
            "--minutes", type=float, default=5, help="stop repeating a measurement after this time (default: 5)"
        )
        parser.add_argument("--device", default="auto")
        parser.add_argument("--memory", choices=("ours", "literal"), help=argparse.SUPPRESS)


def evaluation(network: nn.Module, x: Tensor) -> Action:
    """One whole-scene forward pass without gradients, to the class map."""

    def evaluate() -> None:
        with torch.no_grad():
            # the literal networks end with a softmax, as the releases do
            (network(x) if isinstance(network, EncoderDecoder) else network.cls_pred_conv(network.features(x))).argmax(
                1
            )

    return evaluate


def _medians(
    actions: Dict[str, Action], arguments: argparse.Namespace, device: torch.device
) -> Tuple[Dict[str, float], int]:
    timed = {name: partial(seconds, action, partial(_wait_for, device)) for name, action in actions.items()}
    return medians(timed, arguments.repeats, arguments.minutes)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_peak(device: torch.device) -> float:
    """FLOP/s of a large convolution, see `shared_data.timing.peak_flops`."""
    x = torch.randn(1, PEAK_CHANNELS, PEAK_SIDE, PEAK_SIDE, device=device)
    weight = torch.randn(PEAK_CHANNELS, PEAK_CHANNELS, 3, 3, device=device)
    return peak_flops(partial(F.conv2d, x, weight, padding=1), partial(_wait_for, device))
