"""`make gpu-check` without a GPU: the same command on the CPU with tiny sizes; and CUDA graphs around a stand-in for
PyTorch's. Run from one suite alone, because the check is of all papers on PyTorch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rssgl import cuda_graph
from shared_data.errors import DeviceError, SettingsError
from tools.gpu_check import check

ONE_ROW = 'print(\'{"subject": "a", "result": "b", "passed": true}\', flush=True)\n'


class GpuCheck:
    """The command and its table."""

    @pytest.fixture(autouse=True)
    def packages(self):
        """The check is of three papers, and the environment of a suite knows its own."""
        check.find_packages()

    @pytest.mark.slow
    def test_the_table_has_every_part_and_everything_required_holds(self, tmp_path):
        words = [sys.executable, check.__file__, "--device", "cpu", "--quick", "--out", str(tmp_path)]
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # nothing is installed
        done = subprocess.run(words, cwd=str(tmp_path), env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads((tmp_path / "gpu-check.json").read_text(encoding="utf-8"))
        parts = {part["name"]: part for part in found["parts"]}
        assert list(parts) == list(check.PARTS)
        for name, part in parts.items():
            assert part["state"] == ("needs CUDA" if check.PARTS[name].cuda else "done")
            assert bool(part["rows"]) != check.PARTS[name].cuda
        assert len(parts["parity"]["rows"]) == 12
        required = ("parity", "determinism", "interruption", "trajectories")
        assert all(row["passed"] for name in required for row in parts[name]["rows"])
        assert len(parts["trajectories"]["rows"][0]["numbers"]["float32"]) == 30
        assert all(row["numbers"]["step_s"]["ours"] > 0 for row in parts["timing"]["rows"])

        table = (tmp_path / "gpu-check.md").read_text(encoding="utf-8")
        assert "FAILS" not in table and "PyTorch: " + torch.__version__ in table
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len(rows) == 2 + len(parts) + sum(len(part["rows"]) for part in parts.values())
        assert {line.count(" | ") for line in rows if "---" not in line} == {3}

    @pytest.mark.slow
    def test_a_network_with_an_error_fails_the_parity(self, monkeypatch):
        from rssgl.encoder_decoder import EncoderDecoder
        from tools.gpu_check import parity

        upsample = EncoderDecoder.upsample
        monkeypatch.setattr(EncoderDecoder, "upsample", lambda self, x: 1.001 * upsample(self, x))
        passed = {row.subject.rsplit(" ", 1)[1]: row.passed for row in parity.rows(torch.device("cpu"), True)}
        assert not passed["rssgl_ip"] and not passed["rssgl_pu"]
        assert passed["ssdgl_ip"] and passed["a2s2k"]

    def test_a_part_that_ends_with_an_error_is_told_and_the_next_one_is_done(self, monkeypatch, tmp_path, capsys):
        broken = check.PARTS["parity"]._replace(function="no_such_function")
        parts = {"parity": broken, "graphs": check.PARTS["graphs"]}
        script = tmp_path / "check.py"
        script.write_text(ONE_ROW + "raise SystemExit('no memory left')\n", encoding="utf-8")
        monkeypatch.setattr(check, "PARTS", parts)
        monkeypatch.setattr(check, "__file__", str(script))
        assert check.check(torch.device("cpu"), True, tmp_path / "out", list(parts), []) == 1
        found = json.loads((tmp_path / "out" / "gpu-check.json").read_text(encoding="utf-8"))["parts"]
        assert [part["state"] for part in found] == ["failed: no memory left", "needs CUDA"]
        assert [row["subject"] for row in found[0]["rows"]] == ["a"]

    def test_a_part_that_takes_too_long_is_cut_off_and_its_rows_stay(self, monkeypatch, tmp_path):
        script = tmp_path / "check.py"
        script.write_text(ONE_ROW + "import time\ntime.sleep(60)\n", encoding="utf-8")
        monkeypatch.setattr(check, "PARTS", {"parity": check.PARTS["parity"]._replace(seconds=0.1)})
        monkeypatch.setattr(check, "__file__", str(script))
        assert check.check(torch.device("cpu"), True, tmp_path, ["parity"], []) == 0
        (part,) = json.loads((tmp_path / "gpu-check.json").read_text(encoding="utf-8"))["parts"]
        assert part["state"].startswith("cut off after") and len(part["rows"]) == 1

    @pytest.mark.slow
    def test_it_imports_without_packages_that_a_gpu_machine_may_lack(self, tmp_path):
        code = (
            "import importlib.util, sys; sys.path.insert(0, %r)\n"
            "known = importlib.util.find_spec\n"
            "importlib.util.find_spec = lambda name, *rest: None if name in %r else known(name, *rest)\n"
            "import check; assert check.find_packages() == list(%r)\n"
            "import tools.gpu_check.parts, tools.gpu_check.interruption, tools.gpu_check.parity\n"
            "from shared_data.scenes.catalogue import get_scene; print(get_scene('pavia').bands)\n"
        ) % (str(Path(check.__file__).parent), tuple(check.OPTIONAL), tuple(check.OPTIONAL))
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=str(tmp_path))
        assert found.stdout == "103\n", found.stderr


class CudaGraphs:
    """The switch, and the function around PyTorch's graphs."""

    @pytest.fixture
    def network(self):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5))

    def test_they_are_off_by_default_and_an_error_on_a_cpu(self, network, monkeypatch):
        monkeypatch.delenv(cuda_graph.VARIABLE, raising=False)
        cuda_graph.replay_if_asked(network, "forward", torch.zeros(2, 3))
        monkeypatch.setenv(cuda_graph.VARIABLE, "0")
        cuda_graph.replay_if_asked(network, "forward", torch.zeros(2, 3))
        assert "forward" not in vars(network)
        monkeypatch.setenv(cuda_graph.VARIABLE, "1")
        with pytest.raises(DeviceError, match="HSI_CUDA_GRAPHS=1 needs a CUDA device, and this run is on the cpu"):
            cuda_graph.replay_if_asked(network, "forward", torch.zeros(2, 3))
        monkeypatch.setenv(cuda_graph.VARIABLE, "yes")
        with pytest.raises(SettingsError, match="expected 0 or 1, found 'yes'"):
            cuda_graph.replay_if_asked(network, "forward", torch.zeros(2, 3))

    def test_capturing_leaves_the_network_as_it_was_and_graphs_serve_training_steps_of_the_shape(
        self, network, monkeypatch
    ):
        replayed = []

        def stand_in(part, sample, allow_unused_input):
            for _ in range(3):  # as PyTorch warms up
                part(*sample)
            return lambda x: replayed.append(tuple(x.shape)) or part(x)

        monkeypatch.setattr(torch.cuda, "make_graphed_callables", stand_in)
        monkeypatch.setattr(torch.cuda, "get_rng_state", lambda _device: torch.get_rng_state())
        monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, _device: torch.set_rng_state(state))
        before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
        chance = torch.get_rng_state()
        cuda_graph.replay(network, "forward", torch.ones(5, 3))
        assert list(network.state_dict()) == list(before)
        assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
        assert torch.equal(torch.get_rng_state(), chance)
        assert all(parameter.grad.abs().max() == 0 for parameter in network.parameters())

        network(torch.ones(5, 3)).sum().backward()
        assert replayed == [(5, 3)]
        network(torch.ones(4, 3))  # the last mini-batch
        with torch.no_grad():
            network(torch.ones(5, 3))
        network.eval()
        network(torch.ones(5, 3))
        assert replayed == [(5, 3)]
