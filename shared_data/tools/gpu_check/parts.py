"""The parts of the check that compute in their own process; each yields rows. device: of PyTorch; quick: tiny sizes."""

import gc
import os
import statistics
import time
import warnings
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np
import torch
from torch import Tensor

from rssgl import cuda_graph
from shared_data.timing import medians
from tools.gpu_check.rows import Row
from tools.gpu_check.settings import algorithms_of_training, full_float32
from tools.gpu_check.subjects import (
    CROP,
    INDIAN_PINES,
    NAMES,
    QUICK,
    SIZES,
    Size,
    Subject,
    scene_of,
    subject_of,
    weights_of,
    without_dropout,
)

TRAJECTORY = 30  # steps
PAPERS = ("ssdgl", "rssgl", "a2s2k")
BASELINES = tuple(name for name in NAMES if name not in PAPERS)


def names_of(quick: bool) -> Tuple[str, ...]:
    """The networks of a part."""
    return PAPERS if quick else NAMES


def wait_for(device: torch.device) -> None:
    """Until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def step_seconds(subject: Subject, device: torch.device, block: int) -> Callable[[], float]:
    """Runs `block` training steps without waiting in between; the seconds of one."""
    number = iter(range(10**9))

    def run() -> float:
        wait_for(device)
        start = time.perf_counter()
        for _ in range(block):
            subject.step(next(number))
        wait_for(device)
        return (time.perf_counter() - start) / block

    return run


def evaluation_seconds(subject: Subject, device: torch.device) -> float:
    """Of one evaluation after an epoch, the second of two."""
    seconds = 0.0
    for _ in range(2):
        wait_for(device)
        start = time.perf_counter()
        subject.evaluate()
        wait_for(device)
        seconds = time.perf_counter() - start
    return seconds


def timing(device: torch.device, quick: bool) -> Iterator[Row]:
    """Steps and epochs of ours against the literal networks, alternating; peak memory of a step of ours."""
    cases = [(name, size) for size in SIZES for name in PAPERS] + [(name, INDIAN_PINES) for name in BASELINES]
    if quick:
        cases = [(name, QUICK) for name in PAPERS]
    block, repeats = (5, 7) if device.type == "cuda" else (1, 3)
    for name, size in cases:
        yield _guarded(_of_case(name, size), partial(_timed, name, size, device, block, repeats))
        _free(device)


def _timed(name: str, size: Size, device: torch.device, block: int, repeats: int) -> Row:
    algorithms_of_training(device)
    ours = subject_of(name, size, device)
    peak = _peak_mb(ours, device)
    both = {"literal": subject_of(name, size, device, "literal"), "ours": ours}
    steps, _ = medians({key: step_seconds(one, device, block) for key, one in both.items()}, repeats, minutes=0.15)
    epochs = {key: one.steps_of_epoch * steps[key] + evaluation_seconds(one, device) for key, one in both.items()}
    text = "step %.2f ms → %.2f ms (%.2f times as fast), epoch with evaluation %.3f s → %.3f s (%.2f)" % (
        1e3 * steps["literal"], 1e3 * steps["ours"], steps["literal"] / steps["ours"], epochs["literal"],
        epochs["ours"], epochs["literal"] / epochs["ours"],
    )  # fmt: skip
    text += "" if peak is None else ", peak memory of ours %.0f MB" % peak
    return Row(_of_case(name, size), text, {"step_s": steps, "epoch_s": epochs, "peak_mb": peak})


def _peak_mb(subject: Subject, device: torch.device) -> Any:
    """Peak of the device's memory over two steps, in 10^6 bytes; None of a CPU."""
    if device.type != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats(device)
    for number in range(2):
        subject.step(number)
    return torch.cuda.max_memory_allocated(device) / 1e6


def graphs(device: torch.device, quick: bool) -> Iterator[Row]:
    """Losses and step times with CUDA graphs against those without. The same losses are required."""
    full_float32()
    for name in NAMES:
        size = QUICK if quick else INDIAN_PINES
        yield _guarded(_of_case(name, size), partial(_graphed, name, size, device))
        _free(device)


def _graphed(name: str, size: Size, device: torch.device) -> Row:
    algorithms_of_training(device)
    both = {key: subject_of(name, size, device) for key in ("plain", "graphs")}
    cuda_graph.replay(both["graphs"].network, both["graphs"].method, both["graphs"].sample())
    plain = losses_of(subject_of(name, size, device), 10)
    # sums in another order, as atomic operations have them, change the losses of a repeated training, too
    noise = relative(losses_of(both["plain"], 10), plain)
    difference = relative(losses_of(both["graphs"], 10), plain)
    blocks = {key: step_seconds(subject, device, 10) for key, subject in both.items()}
    blocks["plain, waiting after every step"] = step_seconds(both["plain"], device, 1)
    steps, _ = medians(blocks, 5, minutes=0.1)
    text = (
        "losses of 10 steps differ by %.1e, those of a repeated plain training by %.1e; step %.2f ms → %.2f ms with "
        "graphs (%.2f ms plain and waiting for every step)"
    ) % (difference, noise, *[1e3 * steps[key] for key in blocks])
    numbers = {"difference": difference, "noise": noise, "step_s": steps}
    return Row(_of_case(name, size), text, numbers, difference <= max(tolerance(name), 10 * noise))


def determinism(device: torch.device, quick: bool) -> Iterator[Row]:
    """Two trainings of the same seed: equal bits are required with deterministic algorithms, and their cost is told."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    size, steps = (QUICK, 3) if quick else (INDIAN_PINES, 20)
    for name in names_of(quick):
        yield _guarded(_of_case(name, size), partial(_repeated, name, size, device, steps))
        _free(device)


def _repeated(name: str, size: Size, device: torch.device, steps: int) -> Row:
    equal, seconds, told = {}, {}, ""
    for strict in (True, False):
        # which algorithm is the fastest may differ from time to time
        torch.backends.cudnn.benchmark = device.type == "cuda" and not strict
        torch.use_deterministic_algorithms(strict, warn_only=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            runs = [_trained(name, size, device, steps) for _ in range(2)]
        torch.use_deterministic_algorithms(False)
        equal[strict] = all(torch.equal(one, other) for one, other in zip(runs[0][0], runs[1][0]))
        seconds[strict] = min(run[1] for run in runs)
        without = {str(each.message).split(" does not have")[0] for each in caught if "determin" in str(each.message)}
        told += "; without a deterministic form: " + ", ".join(sorted(without)) if without and strict else ""
    text = "deterministic algorithms: %s, step %.2f ms; as in training: %s, step %.2f ms%s" % (
        _same(equal[True]), 1e3 * seconds[True], _same(equal[False]), 1e3 * seconds[False], told)  # fmt: skip
    numbers = {"equal": equal[True], "equal_otherwise": equal[False], "step_s": [seconds[True], seconds[False]]}
    return Row(_of_case(name, size), text, numbers, equal[True])


def _same(equal: bool) -> str:
    return "the same bits" if equal else "other bits"


def _trained(name: str, size: Size, device: torch.device, steps: int) -> Tuple[List[Tensor], float]:
    """Weights after these steps, and the median seconds of one."""
    subject = subject_of(name, size, device)
    torch.manual_seed(0)
    seconds = step_seconds(subject, device, 1)
    times = [seconds() for _ in range(steps)]
    return weights_of(subject), statistics.median(times)


def trajectories(device: torch.device, quick: bool) -> Iterator[Row]:
    """Losses of 30 steps on the CPU and on the device. The first loss must agree; later ones, rounding drives apart."""
    size = QUICK if quick else CROP
    for name in names_of(quick):
        yield _guarded(_of_case(name, size), partial(_compared, name, size, device))
        _free(device)


def _compared(name: str, size: Size, device: torch.device) -> Row:
    cpu, found = torch.device("cpu"), {}
    reference = losses_of(without_dropout(subject_of(name, size, cpu)), TRAJECTORY)
    for key, tf32 in (("float32", False), ("TF32 in convolutions", True)):
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = False, tf32
        found[key] = losses_of(without_dropout(subject_of(name, size, device)), TRAJECTORY)
    full_float32()
    differences = {key: relative(losses, reference) for key, losses in found.items()}
    first = relative(found["float32"][:1], reference[:1])
    text = (
        "loss %.3f → %.3f on the CPU; largest relative difference on the device %.1e (first step %.1e), with TF32 %.1e"
    )
    numbers = (reference[0], reference[-1], differences["float32"], first, differences["TF32 in convolutions"])
    passed = bool(np.isfinite([reference, found["float32"]]).all()) and first <= tolerance(name)
    return Row(_of_case(name, size), text % numbers, {"cpu": reference.tolist(), **_lists(found)}, passed)


def _lists(arrays: Dict[str, np.ndarray]) -> Dict[str, List[float]]:
    return {key: values.tolist() for key, values in arrays.items()}


def tolerance(name: str) -> float:
    """Relative difference of a loss that rounding explains. Maps of 1×1 pixel magnify rounding in BatchNorm."""
    return 1e-3 if name in ("resnet", "pyresnet") else 1e-4


def losses_of(subject: Subject, steps: int) -> np.ndarray:
    """The losses of a training, read at its end."""
    torch.manual_seed(0)  # of dropout
    return torch.stack([subject.step(number) for number in range(steps)]).cpu().double().numpy()


def relative(values: np.ndarray, reference: np.ndarray) -> float:
    """The largest relative difference."""
    return float((np.abs(values - reference) / np.abs(reference)).max())


def precision(device: torch.device, quick: bool) -> Iterator[Row]:
    """Training under autocast, reported only: loss, accuracy of the scene, step time."""
    size, steps = (QUICK, 4) if quick else (INDIAN_PINES, 60)
    kinds = ["float32", "bfloat16"] + (["float16"] if device.type == "cuda" else [])
    for name in names_of(quick):
        for kind in kinds:
            subject = "%s, %s" % (_of_case(name, size), kind)
            yield _guarded(subject, partial(_autocast, subject, name, size, device, kind, steps), required=False)
            _free(device)


def _autocast(title: str, name: str, size: Size, device: torch.device, kind: str, steps: int) -> Row:
    algorithms_of_training(device)
    subject = subject_of(name, size, device)
    dtype = getattr(torch, kind)
    scaler = torch.amp.GradScaler(device.type, enabled=kind == "float16")
    plain_loss = subject.loss

    def step(number: int) -> Tensor:
        subject.optimizer.zero_grad()
        with torch.autocast(device.type, dtype if kind != "float32" else torch.bfloat16, enabled=kind != "float32"):
            loss = plain_loss(number)
        scaler.scale(loss).backward()
        scaler.unscale_(subject.optimizer)
        subject.clip()
        scaler.step(subject.optimizer)
        scaler.update()
        return loss.detach()

    subject.step = step  # type: ignore[method-assign]
    torch.manual_seed(0)
    seconds, start = step_seconds(subject, device, steps // 2), time.perf_counter()
    seconds()  # the first half chooses algorithms and allocates memory
    per_step = seconds()
    loss, labels = float(subject.step(0)), scene_of(size).labels
    accuracy = float((subject.classes() == labels)[labels > 0].mean())
    text = "loss %.4f and accuracy of the labelled pixels %.2f %% after %d steps, step %.2f ms"
    numbers = {"loss": loss, "accuracy": accuracy, "step_s": per_step, "seconds": time.perf_counter() - start}
    return Row(title, text % (loss, 100 * accuracy, steps, 1e3 * per_step), numbers)


def compiled(device: torch.device, quick: bool) -> Iterator[Row]:
    """The network through torch.compile, tried and reported only."""
    for name in ("a2s2k", "ssrn", "ssdgl", "rssgl"):
        size = QUICK if quick else INDIAN_PINES
        yield _guarded(_of_case(name, size), partial(_compiled, name, size, device), required=False)
        _free(device)


def _compiled(name: str, size: Size, device: torch.device) -> Row:
    algorithms_of_training(device)
    both = {key: without_dropout(subject_of(name, size, device)) for key in ("plain", "compiled")}
    start = time.perf_counter()
    network, method = both["compiled"].network, both["compiled"].method
    setattr(network, method, torch.compile(getattr(network, method)))
    losses = {key: losses_of(subject, 5) for key, subject in both.items()}
    seconds, difference = time.perf_counter() - start, relative(losses["compiled"], losses["plain"])
    steps, _ = medians({key: step_seconds(subject, device, 5) for key, subject in both.items()}, 5, minutes=0.1)
    text = "losses of 5 steps differ by %.1e; step %.2f ms → %.2f ms; the first steps took %.0f s"
    numbers = (difference, 1e3 * steps["plain"], 1e3 * steps["compiled"], seconds)
    return Row(_of_case(name, size), text % numbers, {"difference": difference, "step_s": steps, "first_s": seconds})


def _of_case(name: str, size: Size) -> str:
    return "%s, %s" % (name, "tiny" if size.quick else "%s (%d×%d×%d)" % size[:4])


def _guarded(subject: str, make: Callable[[], Row], required: bool = True) -> Row:
    """The row, or one that tells the error. required: whether an error counts as one."""
    try:
        return make()
    except Exception as error:  # whatever it is, the other rows are worth having
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return Row(subject, "failed: %s: %s" % (type(error).__name__, reason), {}, False if required else None)


def _free(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
