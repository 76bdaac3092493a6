"""Who can reach what the repository starts: this machine alone. A container's server is published on loopback only."""

import os
import re
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from contracts.faults import FAULTS, note

ROOT = Path(__file__).resolve().parents[2]
HSI = ROOT / "docker" / "in-image" / "hsi"
PROGRAMS = ROOT / ".venvs" / "curves" / "bin"

TEXTS = [HSI, ROOT / "Makefile", *sorted((ROOT / "docker").glob("*.yaml"))]
TEXTS += [path for path in sorted((ROOT / ".ci").iterdir()) if path.is_file()]
TEXTS += [path for path in ROOT.rglob("*.md") if not {".venvs", "results"} & set(path.relative_to(ROOT).parts)]
LIBRARIES = [
    path
    for path in ROOT.rglob("*.py")
    if not {".venvs", "results", "tests", "testing"} & set(path.relative_to(ROOT).parts)
]
# what makes a program listen: a server's class, a socket's call
LISTENS = re.compile(r"\bHTTPServer\b|\bsocketserver\b|\.listen\(|\.bind\(|create_server|start_server|\bTCPStore\b")


def test_published_ports_are_those_of_loopback():
    published = []
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        published += re.findall(r"(?:-p|--publish)[ =](\S*[0-9]:[0-9]\S*)", text)
        if path.suffix == ".yaml":
            section = re.findall(r"^ +ports:\n((?: +- .*\n)+)", text, re.MULTILINE)
            published += re.findall(r'- "?([^"\n]+)"?', "".join(section))
            assert len(section) == text.count("ports:") and "network_mode: host" not in text
    assert published and all(re.match(r"127\.0\.0\.1:[0-9]+:[0-9]+\Z", port) for port in published), published


def test_nothing_asks_for_all_interfaces_but_the_server_inside_a_container():
    found = [
        (path, line.strip())
        for path in TEXTS + LIBRARIES
        if path != Path(__file__)
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"0\.0\.0\.0|--bind_all|host[= ]+['\"]?::", line)
    ]
    assert [path for path, _ in found] == [HSI]
    assert "tensorboard.main" in found[0][1]


def test_no_library_listens():
    """Of what listens there is only the probe for a free port, on loopback."""
    found = [
        line.strip() for path in LIBRARIES for line in path.read_text("utf-8").splitlines() if LISTENS.search(line)
    ]
    assert all('.bind(("127.0.0.1", 0))' in line for line in found), found


def listening(group):
    """Addresses on which the processes of a group listen, by port."""
    inodes = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) != group:
                continue
            links = [os.readlink(str(link)) for link in (process / "fd").iterdir()]
        except OSError:  # it has just ended
            continue
        inodes |= {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    found = {}
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
                found[int(port, 16)] = socket.inet_ntop(family, struct.pack("=%dI" % len(words), *words))
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(command, port, environment):
    """Addresses on which a command listens once it answers on a port; then it is ended."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.time() + 240
        while port not in listening(process.pid) and process.poll() is None and time.time() < deadline:
            time.sleep(0.2)
        return listening(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
def test_the_proof_tells_loopback_from_all_interfaces():
    for address in ("127.0.0.1", "0.0.0.0"):
        port = free_port()
        script = "import socket, time; s = socket.socket(); s.bind(('%s', %d)); s.listen(1); time.sleep(60)"
        command = ["python3", "-c", script % (address, port)]
        assert started(command, port, dict(os.environ))[port] == address


@pytest.mark.skipif(not (FAULTS and PROGRAMS.exists()), reason="needs TensorBoard: make faults")
def test_tensorboard_outside_of_a_container_listens_on_loopback(tmp_path):
    """As `make curves` starts it; and the entry point's, whose address a later --host replaces."""
    environment = dict(os.environ, PATH="%s:%s" % (PROGRAMS, os.environ["PATH"]))
    for command in (
        [str(PROGRAMS / "tensorboard"), "--logdir", str(tmp_path)],
        [str(HSI), "tensorboard", "--logdir", str(tmp_path), "--host", "127.0.0.1"],
    ):
        port = free_port()
        found = started(command + ["--port", str(port)], port, environment)
        assert port in found and set(found.values()) <= {"127.0.0.1", "::1"}, found
    note("addresses on which a server listens", "docker", 2, "loopback alone")
