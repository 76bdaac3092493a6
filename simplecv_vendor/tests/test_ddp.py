"""Two processes on the CPU, started as a user starts them."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from simplecv import ddp_train
from simplecv.errors import ConfigError

SCRIPT = Path(__file__).with_name("ddp_script.py")
# PyTorch 1.8 has `launch` alone, which gives every script an argument --local_rank
MODULE = "torch.distributed.run" if importlib.util.find_spec("torch.distributed.run") else "torch.distributed.launch"


def start(model_dir, processes, *opts):
    """Run the script in so many processes; what each of them ended with, in the order of ranks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", MODULE, f"--nproc_per_node={processes}", "--master_addr", "127.0.0.1"]
    command += ["--master_port", str(port), str(SCRIPT), f"--model_dir={model_dir}", *opts]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    outcome = subprocess.run(
        command, env=environment, timeout=120, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    assert outcome.returncode == 0, outcome.stdout
    return [torch.load(f"{model_dir}-rank{rank}.pth") for rank in range(processes)]


def equal(first, second):
    return all(torch.equal(first["weights"][name], second["weights"][name]) for name in first["weights"])


def test_two_processes_equal_one_on_the_same_global_batches(tmp_path):
    one = start(tmp_path / "one", 1)[0]
    two = start(tmp_path / "two", 2)
    assert equal(*two) and [state["step"] for state in two] == [6, 6]
    for name, value in one["weights"].items():
        assert torch.allclose(value, two[0]["weights"][name], atol=1e-6)
    names = sorted(path.suffix for path in (tmp_path / "two").iterdir() if not path.name.startswith("events"))
    assert names == [".json", ".log", ".pth", ".pth", ".pth"], "rank 1 wrote files too"
    log = next((tmp_path / "two").glob("*.log")).read_text()
    assert log.count("[Train] step 6/6") == 1


def test_a_stop_asked_for_by_one_process_stops_all_and_both_resume(tmp_path):
    whole = start(tmp_path / "whole", 2)
    stopped = start(tmp_path / "parts", 2, "2")
    assert [state["step"] for state in stopped] == [2, 2]
    resumed = start(tmp_path / "parts", 2)
    assert equal(*resumed) and equal(whole[0], resumed[0])


def test_without_torchrun_the_missing_variables_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="started by torchrun, but the variables RANK, "):
        ddp_train.run({}, tmp_path, True)
