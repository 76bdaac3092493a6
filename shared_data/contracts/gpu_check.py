"""`make gpu-check` without a GPU: the same command on the CPU with tiny sizes; and CUDA graphs around a stand-in for
PyTorch's. Run from one suite alone, because the check is of all papers on PyTorch."""

import contextlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from rssgl import cuda_graph
from shared_data.errors import DeviceError, SettingsError
from tools.gpu_check import check

ONE_ROW = 'print(\'{"subject": "a", "result": "b", "passed": true}\', flush=True)\n'


class StandIns:
    """With stand-ins for networks and CUDA: how the parts set PyTorch, and that what is no number passes nowhere."""

    CUDA = torch.device("cuda")

    @pytest.fixture(autouse=True)
    def settings(self):
        """Other ones than wanted, and after a test those from before it. The check is of three papers, and the
        environment of a suite knows its own."""
        check.find_packages()
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = True, True, False
        yield
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before

    def test_parity_is_computed_without_tf32(self, monkeypatch):
        from tools.gpu_check import parity

        seen = []

        def network(*_):
            seen.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
            return 0.0, 0.0, 0.0

        monkeypatch.setattr(parity, "_whole_scene", network)
        monkeypatch.setattr(parity, "_patches", network)
        assert len(list(parity.rows(self.CUDA, False))) == 12
        assert seen == [(False, False)] * 12

    @pytest.mark.parametrize(
        "ours, differ",
        [
            ({}, False),
            ({"a": 1.002}, True),
            ({"b": float("nan")}, True),
            ({"b": None}, True),
            ({"noise": 9e-6}, False),
            ({"noise": None}, False),
            ({"noise": 2e-5}, True),
            ({"noise": float("nan")}, True),
            ({"unheard": 0.0}, True),
        ],
    )
    def test_norms_of_gradients(self, ours, differ):
        from tools.gpu_check import parity

        expected = {"a": 1.0, "b": 2.0, "noise": 1e-7}
        network = torch.nn.Module()
        for name, norm in {**expected, **ours}.items():
            parameter = torch.nn.Parameter(torch.zeros(1))
            parameter.grad = None if norm is None else torch.tensor([norm])
            network.register_parameter(name, parameter)
        assert parity._row("a", 0.0, 0.0, parity._of_gradients(network, expected)).passed is not differ

    @pytest.mark.parametrize("losses", ([np.nan, 1], [1, np.nan]))
    @pytest.mark.parametrize("which", (0, 1))
    def test_a_loss_that_is_no_number_fails_the_trajectories(self, monkeypatch, losses, which):
        from tools.gpu_check import parts

        found = [np.ones(2), np.ones(2), np.ones(2)]  # on the CPU; on the device, without TF32 and with it
        found[which] = np.array(losses)
        monkeypatch.setattr(parts, "subject_of", MagicMock())
        monkeypatch.setattr(parts, "without_dropout", lambda subject: subject)
        monkeypatch.setattr(parts, "losses_of", lambda *_: found.pop(0))
        assert next(parts.trajectories(torch.device("cpu"), True)).passed is False

    @pytest.mark.parametrize("part", ("timing", "graphs", "precision", "compiled"))
    def test_what_is_timed_has_the_algorithms_of_a_training(self, monkeypatch, part):
        from tools.gpu_check import parts

        seen = []
        monkeypatch.setattr(parts, "subject_of", lambda *_: seen.append(torch.backends.cudnn.benchmark) or 1 / 0)
        assert "ZeroDivisionError" in next(getattr(parts, part)(self.CUDA, True)).result
        assert seen == [True]

    def test_only_deterministic_algorithms_are_not_chosen_by_their_time(self, monkeypatch):
        from tools.gpu_check import parts

        seen = []

        def trained(*_):
            seen.append((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark))
            return [torch.zeros(1)], 1.0

        monkeypatch.setattr(parts, "_trained", trained)
        monkeypatch.setitem(os.environ, "CUBLAS_WORKSPACE_CONFIG", "")  # the part sets it for its own process
        assert next(parts.determinism(self.CUDA, True)).passed
        assert seen == [(True, False)] * 2 + [(False, True)] * 2

    def test_the_first_steps_under_autocast_are_not_timed(self, monkeypatch):
        from tools.gpu_check import parts

        blocks = []
        weight = torch.nn.Parameter(torch.ones(1))
        subject = SimpleNamespace(
            loss=lambda number: weight.sum(), optimizer=torch.optim.SGD([weight], lr=0.1), clip=lambda: None,
            classes=lambda: np.ones((2, 2)),
        )  # fmt: skip
        monkeypatch.setattr(parts, "subject_of", lambda *_: subject)
        monkeypatch.setattr(parts, "scene_of", lambda _size: SimpleNamespace(labels=np.ones((2, 2))))
        seconds = iter([9.0, 1.0])
        monkeypatch.setattr(parts, "step_seconds", lambda *words: blocks.append(words[2]) or seconds.__next__)
        row = next(parts.precision(torch.device("cpu"), True))
        assert row.numbers["step_s"] == 1.0 and "after 4 steps" in row.result and blocks == [2]

    def test_a2s2k_resets_the_peak_of_memory_when_the_scene_is_on_the_device(self, monkeypatch):
        """In a process that has not used the device, PyTorch calls it an invalid argument."""
        from a2s2k_resnet import train

        class Enough(Exception):
            pass

        calls = []
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append(str(device)))
        for name in ("keep_freed_memory", "_check_last_minibatch", "preprocess", "whitening_of"):
            monkeypatch.setattr(train, name, MagicMock())
        monkeypatch.setattr(train, "select_device", lambda _name: torch.device("cuda:1"))
        monkeypatch.setattr(train, "settings_of", lambda _name: contextlib.nullcontext())
        monkeypatch.setattr(train, "PatchGatherer", lambda *_: calls.append("scene"))
        monkeypatch.setattr(train, "MinibatchStream", MagicMock(side_effect=Enough))
        with pytest.raises(Enough):
            train.fit(MagicMock(), MagicMock(), MagicMock(), 1, MagicMock())
        assert calls == ["scene", "cuda:1"] and torch.backends.cudnn.benchmark


class GpuCheck(StandIns):
    """The command and its table."""

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

    @pytest.mark.parametrize("name, code", [("parity", 1), ("interruption", 1), ("timing", 0), ("precision", 0)])
    def test_a_part_that_takes_too_long_is_cut_off_and_its_rows_stay(self, monkeypatch, tmp_path, name, code):
        """It fails where all of its rows are required."""
        script = tmp_path / "check.py"
        script.write_text(ONE_ROW + "import time\ntime.sleep(60)\n", encoding="utf-8")
        monkeypatch.setattr(check, "PARTS", {name: check.PARTS[name]._replace(seconds=0.1)})
        monkeypatch.setattr(check, "__file__", str(script))
        assert check.check(torch.device("cpu"), True, tmp_path, [name], []) == code
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

    @pytest.fixture
    def current(self, monkeypatch):
        """The current devices, by stand-ins for what else PyTorch has no CPU form of."""
        devices = ["none"]

        @contextlib.contextmanager
        def device(chosen):
            devices.append(str(chosen))
            yield
            devices.pop()

        monkeypatch.setattr(torch.cuda, "device", device)
        monkeypatch.setattr(torch.cuda, "get_rng_state", lambda _device: torch.get_rng_state())
        monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, _device: torch.set_rng_state(state))
        return devices

    def test_nothing_to_replay_is_an_error(self, network, current, monkeypatch):
        def empty(*_, **__):
            warnings.warn("The CUDA Graph is empty. This usually means that the graph was attempted to be captured on "
                          "wrong device or stream.", stacklevel=1)  # fmt: skip

        monkeypatch.setattr(torch.cuda, "make_graphed_callables", empty)
        with pytest.raises(DeviceError, match="captured nothing for HSI_CUDA_GRAPHS=1: The CUDA Graph is empty"):
            cuda_graph.replay(network, "forward", torch.ones(5, 3))
        assert "forward" not in vars(network)

    def test_capturing_leaves_the_network_as_it_was_and_graphs_serve_training_steps_of_the_shape(
        self, network, current, monkeypatch
    ):
        replayed = []

        def stand_in(part, sample, allow_unused_input):
            assert current == ["none", "cpu"]  # PyTorch captures on the current device, whichever the sample is on
            for _ in range(3):  # as PyTorch warms up
                part(*sample)
            return lambda x: replayed.append(tuple(x.shape)) or part(x)

        monkeypatch.setattr(torch.cuda, "make_graphed_callables", stand_in)
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
