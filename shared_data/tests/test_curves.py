"""The curves that a training writes are shown by the viewer that `make curves` starts."""

import json
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from shared_data.runs.log import RunLog

VIEWER = Path(__file__).resolve().parents[2] / ".venvs" / "curves" / "bin" / "tensorboard"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.stack_independent,
    pytest.mark.skipif(not VIEWER.exists(), reason="no environment for the curves"),
]


def answer(address, process):
    """The JSON at an address, as soon as it holds anything."""
    deadline = time.time() + 60
    while time.time() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address) as response:
                found = json.loads(response.read().decode())
        except OSError:  # the viewer has not started yet
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("%s: no answer, exit code %s" % (address, process.poll()))


def test_the_viewer_reads_what_a_run_writes(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with RunLog(tmp_path, False) as log:
        log.curves(1, {"loss": 0.5})
        log.curves(2, {"loss": 0.25})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([str(VIEWER), "--logdir", str(tmp_path), "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        scalars = "http://127.0.0.1:%d/data/plugin/scalars/" % port
        ((run, tags),) = answer(scalars + "tags", process).items()
        assert list(tags) == ["loss"]
        points = answer("%sscalars?run=%s&tag=loss" % (scalars, run), process)
        assert [point[1:] for point in points] == [[1, 0.5], [2, 0.25]]
    finally:
        process.kill()
        process.wait()
