"""Time and memory of one training step and one evaluation: this network against the literal one of the tests."""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List, Tuple

import torch
import torch.nn.functional as F

from shared_data import environment
from shared_data.allocator import keep_freed_memory
from shared_data.catalogue import get_scene
from shared_data.configs import load_config
from shared_data.full_scene import padded_side
from simplecv.util.device import device_name, select_device
from ssdgl.network import SSDGL
from ssdgl.training import CONFIGS

SIZES = ("indianpines", "pavia")  # configurations whose network and scene size are timed


def network_of(size: str) -> Dict[str, Any]:
    """The network of a configuration, as `SSDGL` takes it."""
    scene = get_scene(size)
    params = load_config(CONFIGS, size)["model"]["params"]
    return dict(params, in_channels=scene.bands, num_classes=scene.num_classes)


def padded_sides(size: str) -> Tuple[int, int]:
    """Height and width of the scene as the network sees it."""
    scene = get_scene(size)
    return padded_side(scene.height, SSDGL.STRIDE), padded_side(scene.width, SSDGL.STRIDE)


def load_literal() -> ModuleType:
    """The equation-by-equation network of the tests, by path: it is no part of the package."""
    path = Path(__file__).resolve().parent.parent / "tests" / "literal.py"
    specification = importlib.util.spec_from_file_location("ssdgl_literal", str(path))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def build(size: str, which: str, device: torch.device) -> torch.nn.Module:
    """The network of a size, `ours` or `literal`, with the same weights."""
    network = network_of(size)
    torch.manual_seed(0)
    ours = SSDGL(network).to(device)
    if which == "ours":
        return ours
    literal = load_literal().LiteralSSDGL(**network).to(device)
    literal.load_state_dict(ours.state_dict())
    return literal


def logits_of(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Class logits; the literal network's forward ends with a softmax, as the release's does."""
    return network(x) if isinstance(network, SSDGL) else network.cls_pred_conv(network.features(x))


def training_step(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    """Forward, cross-entropy over all pixels, backward, clipping and SGD."""
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(logits_of(network, x), y).backward()
        torch.nn.utils.clip_grad_norm_([p for p in network.parameters() if p.grad is not None], 35)
        optimizer.step()

    return step


def evaluation(network: torch.nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """One whole-scene forward pass without gradients, to the class map."""

    def evaluate() -> None:
        with torch.no_grad():
            logits_of(network, x).argmax(dim=1)

    return evaluate


def seconds(action: Callable[[], None], device: torch.device) -> float:
    """Wall time of one call, waiting for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def alternate(actions: Dict[str, Callable[[], None]], repeats: int, device: torch.device) -> Dict[str, float]:
    """Median seconds of each action, measured in turn after one warm-up of each."""
    for action in actions.values():
        action()
    times: Dict[str, List[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            times[name].append(seconds(action, device))
    return {name: statistics.median(values) for name, values in times.items()}


def peak_flops(device: torch.device) -> float:
    """FLOP/s of a large 3×3 convolution (512→512 channels on 160×160), best of five: the practical peak."""
    x, weight = torch.randn(1, 512, 160, 160, device=device), torch.randn(512, 512, 3, 3, device=device)
    work = 2 * 512 * 512 * 9 * 160 * 160
    return work / min(seconds(lambda: F.conv2d(x, weight, padding=1), device) for _ in range(5))


def step_flops(size: str) -> float:
    """FLOP of the literal training step's convolutions: forward, gradient of the kernel, gradient of the input.

    The scene itself needs no gradient, so the stem counts twice and every other convolution three times.
    """
    network = build(size, "literal", torch.device("cpu"))
    stem = network.feature_ops[0][0]
    total = 0

    def count(module: torch.nn.Conv2d, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        forward = 2 * output.numel() * module.in_channels * module.kernel_size[0] * module.kernel_size[1]
        total += forward * (2 if module is stem else 3)

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    sides, tile = padded_sides(size), torch.zeros(1, stem.in_channels, 16, 16)
    with torch.no_grad():
        network.cls_pred_conv(network.features(tile))
    return float(total) * sides[0] * sides[1] / (16 * 16)


def memory_of(size: str, which: str) -> float:
    """Peak resident MB of three training steps in a process of its own."""
    command = [sys.executable, "-m", "ssdgl", "bench", "--size", size, "--memory", which]
    return json.loads(subprocess.check_output(command).decode())


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m ssdgl bench`."""
    parser.add_argument("--size", choices=SIZES, action="append", help="default: all")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--memory", choices=("ours", "literal"), help=argparse.SUPPRESS)


def _inputs(size: str, device: torch.device):
    generator = torch.Generator().manual_seed(0)
    sides, network = padded_sides(size), network_of(size)
    x = torch.randn(1, network["in_channels"], *sides, generator=generator)
    y = torch.randint(0, network["num_classes"], (1,) + sides, generator=generator)
    return x.to(device), y.to(device)


def _print_memory(size: str, which: str) -> int:
    keep_freed_memory()
    step = training_step(build(size, which, torch.device("cpu")), *_inputs(size, torch.device("cpu")))
    for _ in range(3):
        step()
    print(json.dumps(environment.peak_memory_mb()))
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison for every size."""
    sizes = arguments.size or SIZES
    if arguments.memory:
        return _print_memory(sizes[0], arguments.memory)
    device = select_device(arguments.device)
    tuned = keep_freed_memory()
    hardware = device_name(device) or "%s, %d cores" % (environment.cpu_name(), environment.usable_cores())
    peak = peak_flops(device)
    print("%s; PyTorch %s; a large convolution reaches %.0f GFLOP/s" % (hardware, torch.__version__, peak / 1e9))
    print("freed memory is %s" % ("kept for both networks" if tuned else "returned to the system"))
    for size in sizes:
        x, y = _inputs(size, device)
        networks = {name: build(size, name, device) for name in ("literal", "ours")}
        steps = alternate({n: training_step(net, x, y) for n, net in networks.items()}, arguments.repeats, device)
        forward = alternate({n: evaluation(net, x) for n, net in networks.items()}, arguments.repeats, device)
        work = step_flops(size)
        print("\n%s (%d×%d, %d bands), median of %d" % ((size,) + padded_sides(size) + (x.shape[1], arguments.repeats)))
        print("  the literal training step is %.0f GFLOP, at that rate %.2f s" % (work / 1e9, work / peak))
        for name in ("literal", "ours"):
            line = "  %-8s training step %.3f s (%.0f %% of the peak on the literal count), evaluation %.3f s" % (
                name, steps[name], 100 * work / peak / steps[name], forward[name])  # fmt: skip
            if device.type == "cpu":
                line += ", peak memory %.0f MB" % memory_of(size, name)
            print(line)
        print(
            "  ratio    %.2f training, %.2f evaluation"
            % (steps["literal"] / steps["ours"], forward["literal"] / forward["ours"])
        )
    return 0
