"""Two processes on the CPU, started as a user starts them."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys

import ddp_script
import pytest
import torch

from simplecv import ddp_train, dp_train
from simplecv.errors import ConfigError

# PyTorch 1.8 has `launch` alone, which gives every script an argument --local_rank
MODULE = "torch.distributed.run" if importlib.util.find_spec("torch.distributed.run") else "torch.distributed.launch"


def start(model_dir, processes, *opts):
    """Run the script in so many processes; what each of them ended with, in the order of ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", MODULE, f"--nproc_per_node={processes}", "--master_addr", "127.0.0.1"]
    command += ["--master_port", str(port), ddp_script.__file__, f"--model_dir={model_dir}", *opts]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        start_new_session=True,
    )
    try:
        output = process.communicate(timeout=240)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the launcher and the processes it started
        pytest.fail("no end after 240 s: " + process.communicate()[0])
    assert process.returncode == 0, output
    return [torch.load(f"{model_dir}-rank{rank}.pth") for rank in range(processes)]


def initial_weight(seed):
    torch.manual_seed(seed)
    return ddp_script.Linear({}).layer.weight.detach()


def equal(first, second):
    return all(torch.equal(first["weights"][name], second["weights"][name]) for name in first["weights"])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder of an uninterrupted run of two processes, and what they ended with."""
    folder = tmp_path_factory.mktemp("ddp") / "two"
    return folder, start(folder, 2)


@pytest.mark.slow
def test_two_processes_equal_one_on_the_same_global_batches(two, tmp_path):
    torch.manual_seed(0)
    alone = dp_train.run(ddp_script.CONFIG, tmp_path, cpu_mode=True)["launcher"].model.module.state_dict()
    first, second = two[1]
    assert equal(first, second) and (first["step"], second["step"]) == (6, 6)
    for name, value in alone.items():
        assert torch.allclose(value, first["weights"][name], atol=1e-6)
    assert not torch.equal(first["weights"]["layer.weight"], initial_weight(0))


def test_only_the_first_process_writes(two):
    folder = two[0]
    suffixes = sorted(path.suffix for path in folder.iterdir() if not path.name.startswith("events"))
    assert suffixes == [".json", ".log", ".pth", ".pth", ".pth"]
    assert len(list(folder.glob("events*"))) == 1
    assert next(folder.glob("*.log")).read_text().count("[Train] step 6/6") == 1


@pytest.mark.slow
def test_a_stop_asked_for_by_one_process_stops_all_and_both_resume(two, tmp_path):
    stopped = start(tmp_path / "parts", 2, "2")
    assert [state["step"] for state in stopped] == [2, 2]
    resumed = start(tmp_path / "parts", 2)
    assert equal(*resumed) and equal(two[1][0], resumed[0])


def test_without_torchrun_the_missing_variables_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="started by torchrun, but the variables RANK, "):
        ddp_train.run({}, tmp_path, True)
