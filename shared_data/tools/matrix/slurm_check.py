"""Run a matrix of short runs on a real Slurm, break the node twice, and compare with the same matrix run locally.

    python shared_data/tools/matrix/slurm_check.py                    every paper, seeds 1 2 3, on the generated scene
    python shared_data/tools/matrix/slurm_check.py --papers ssdgl --seeds 1 2

Needs root on a Debian or Ubuntu host; the packages slurmctld, slurmd, slurm-client and munge are installed where they
are missing. The cluster is one node, this host: its configuration, keys, state and sockets lie in a temporary folder,
its ports are free ones of the loopback address, and nothing of it is left at the end but the packages.

While `make matrix PROFILE=slurm` works,

    the daemon dies     slurmd is killed and started again; the runs on the node go on
    the node dies       slurmd, its runs and all their processes are killed; Slurm notices and queues the runs again

Then every record must be there, none may have been written twice, and `make matrix PROFILE=local` with the same seeds
must end with the same results, bit for bit. Exit code 1 where anything is otherwise.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set

ROOT = Path(__file__).resolve().parents[3]
PAPERS = ("ssdgl", "rssgl", "a2s2k", "da-imrn", "apdclnn")
PROGRAMS = {"slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client", "munged": "munge"}  # of packages
RESULT = ("metrics", "selection", "split", "weights", "maps", "history", "config", "decisions")  # not: times, machine
NODE_TIMEOUT = 10  # SlurmdTimeout: seconds without an answer of slurmd after which Slurm marks the node as down

CONFIGURATION = """
ClusterName=check
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=30
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
MpiDefault=none
MinJobAge=86400
SlurmdTimeout={timeout}
ReturnToService=2
JobRequeue=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=check Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Failure(Exception):
    """The check found something wrong; the message says what."""


def free_ports(count: int) -> List[int]:
    """Ports of the loopback address that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def descendants(pid: int) -> Set[int]:
    """A process and its descendants, by /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # it has ended meanwhile
            continue
    family = {pid}
    while True:
        grown = family | {child for child, parent in parents.items() if parent in family}
        if grown == family:
            return family
        family = grown


class Cluster:
    """Context manager: a Slurm of one node, this host, with everything it writes in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Snakemake's job steps forget SLURM_CONF; on other clusters the configuration lies where srun looks by itself
        (folder / "bin").mkdir()
        srun = folder / "bin" / "srun"
        srun.write_text('#!/bin/sh\nSLURM_CONF=%s/slurm.conf exec %s "$@"\n' % (folder, shutil.which("srun")))
        srun.chmod(0o755)
        path = "%s:%s" % (srun.parent, os.environ["PATH"])
        self.environment = dict(os.environ, SLURM_CONF=str(folder / "slurm.conf"), PATH=path)
        self._daemons: Dict[str, subprocess.Popen] = {}

    def __enter__(self) -> "Cluster":
        controller_port, node_port = free_ports(2)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=socket.gethostname().split(".")[0], folder=self.folder, controller_port=controller_port,
                node_port=node_port, cores=os.cpu_count(), memory=memory * 9 // 10, timeout=NODE_TIMEOUT,
            )
        )  # fmt: skip
        try:
            names = ("socket", "pid-file", "seed-file", "log-file")
            places = ["--%s=%s/munge.%s" % (name, self.folder, name.partition("-")[0]) for name in names]
            self._start("munged", "--foreground", "--force", "--key-file=%s" % key, *places)
            self._wait_for(lambda: (self.folder / "munge.socket").exists(), "munged's socket")
            self._start("slurmctld", "-D", "-i")
            self.start_node()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        for pid in self._node_processes():
            _kill(pid)
        for daemon in self._daemons.values():
            daemon.kill()
            daemon.wait()

    def _start(self, program: str, *words: str) -> None:
        with open(str(self.folder / (program + ".out")), "ab") as output:
            self._daemons[program] = subprocess.Popen(
                [program, *words], stdout=output, stderr=subprocess.STDOUT, env=self.environment, start_new_session=True
            )

    def _wait_for(self, condition: Any, what: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                printed = {path.name: path.read_text(errors="replace") for path in self.folder.glob("*.out")}
                ends = "\n".join("%s: %s" % (name, text[-500:]) for name, text in sorted(printed.items()))
                raise Failure("%s did not come within %d s\n%s" % (what, seconds, ends))
            time.sleep(0.2)

    def _ask(self, *words: str) -> str:
        answer = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment)
        return answer.stdout.decode().strip()

    def node_state(self) -> str:
        """The node's state in sinfo's words: idle, mixed, allocated, down ..."""
        return self._ask("sinfo", "--noheader", "--format=%T")

    def start_node(self) -> None:
        """Start slurmd and wait until Slurm reports the node as usable."""
        self._start("slurmd", "-D")
        self._wait_for(lambda: self.node_state() in ("idle", "mixed", "allocated"), "the node")

    def kill_daemon(self) -> None:
        """SIGKILL to slurmd alone; the runs go on."""
        self._daemons["slurmd"].kill()
        self._daemons["slurmd"].wait()

    def _node_processes(self) -> List[int]:
        """slurmd's step daemons and everything below them."""
        found: Set[int] = set()
        for name in Path("/proc").glob("[0-9]*/comm"):
            try:
                if name.read_text().strip() == "slurmstepd":
                    environment = (name.parent / "environ").read_bytes()
                    if str(self.folder).encode() in environment:
                        found |= descendants(int(name.parent.name))
            except OSError:
                continue
        return sorted(found)

    def kill_node(self) -> int:
        """SIGKILL to slurmd and everything it started, as when the power fails; the number of processes."""
        self.kill_daemon()
        processes = self._node_processes()
        for pid in processes:
            _kill(pid)
        return len(processes)

    def wait_until_given_up(self) -> None:
        """Until Slurm knows that the node is gone; its runs are queued again then."""
        self._wait_for(lambda: self.node_state().startswith("down"), "the loss of the node")


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Records:
    """The records below a results folder, and whether one was written a second time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: Dict[Path, bytes] = {}
        self.rewritten: List[Path] = []

    def look(self) -> int:
        """Read the records as they are now; return their number.

        A record holds its run's end and duration, so a second record has different bytes.
        """
        for path in self.folder.glob("*/*/*/seed-*/run.json"):
            with contextlib.suppress(FileNotFoundError):
                content = path.read_bytes()
                if self._seen.setdefault(path, content) != content:
                    self.rewritten.append(path)
                    self._seen[path] = content
        return len(self._seen)

    def hashes(self) -> Dict[str, str]:
        """Hash of the result in every record, by place; values that depend on machine and time are left out."""
        found = {}
        for path in sorted(self.folder.glob("*/*/*/seed-*/run.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            result = json.dumps([record.get(key) for key in RESULT], sort_keys=True)
            found[str(path.parent.relative_to(self.folder))] = hashlib.sha256(result.encode()).hexdigest()
        return found


def matrix_command(arguments: argparse.Namespace, profile: str, jobs: int, out: Path) -> List[str]:
    """`make matrix` as a user types it."""
    return ["make", "--no-print-directory", "matrix", "PAPERS=" + " ".join(arguments.papers), "SCENES=synthetic",
            "PROTOCOLS=paper", "SEEDS=" + " ".join(arguments.seeds), "ITERS=%d" % arguments.iters,
            "PROFILE=" + profile, "JOBS=%d" % jobs, "CORES=1", "OUT=%s" % out, "DEVICE=cpu"]  # fmt: skip


def run_on_slurm(cluster: Cluster, command: Sequence[str], records: Records, expected: int) -> None:
    """Run the matrix, break the node at a third and at two thirds of it. Raises: Failure."""
    breaks = {expected // 3: _daemon_dies, 2 * expected // 3: _node_dies}
    process = subprocess.Popen(command, cwd=str(ROOT), env=cluster.environment, start_new_session=True)
    try:
        while process.poll() is None:
            done = records.look()
            for least in [least for least in breaks if done >= least]:
                breaks.pop(least)(cluster, done)
            time.sleep(0.2)
    finally:
        if process.poll() is None:
            for pid in descendants(process.pid):
                _kill(pid)
    records.look()
    if breaks:
        raise Failure("the matrix ended before the node was broken: %d records" % records.look())
    if process.returncode:
        raise Failure("make matrix on Slurm ended with %d" % process.returncode)


def _daemon_dies(cluster: Cluster, done: int) -> None:
    print("slurm-check: %d records; slurmd is killed and started again" % done, flush=True)
    cluster.kill_daemon()
    time.sleep(2)
    cluster.start_node()


def _node_dies(cluster: Cluster, done: int) -> None:
    killed = cluster.kill_node()
    print("slurm-check: %d records; the node is killed, %d processes with it" % (done, killed), flush=True)
    cluster.wait_until_given_up()
    cluster.start_node()
    print("slurm-check: the node is back", flush=True)


def judge(on_slurm: Records, locally: Records, expected: int) -> None:
    """Raises: Failure where a record is missing, was written twice, or differs from the local one."""
    ours, theirs = on_slurm.hashes(), locally.hashes()
    for place in sorted(set(ours) | set(theirs)):
        same = ours.get(place) == theirs.get(place)
        print("  %-44s %s %s" % (place, ours.get(place, "missing")[:16], "same locally" if same else "DIFFERS"))
    if on_slurm.rewritten:
        raise Failure("run twice to completion: %s" % ", ".join(str(path.parent) for path in on_slurm.rewritten))
    if (len(ours), len(theirs)) != (expected, expected):
        raise Failure("%d records on Slurm and %d locally, not %d" % (len(ours), len(theirs), expected))
    if ours != theirs:
        raise Failure("the results are others than the local ones")


def install_missing() -> None:
    """The Debian packages whose programs are not there. Raises: Failure."""
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if not missing:
        return
    print("slurm-check: installing %s" % " ".join(missing), flush=True)
    if shutil.which("apt-get") is None:
        raise Failure("needs Debian's packages %s" % " ".join(missing))
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for words in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", *missing]):
        if subprocess.call(["apt-get", *words], env=quiet, stdout=subprocess.DEVNULL):
            raise Failure("apt-get %s failed" % " ".join(words))


def main(words: Optional[Sequence[str]] = None) -> int:
    """Run the check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--papers", nargs="+", default=list(PAPERS))
    parser.add_argument("--seeds", nargs="+", default=["1", "2", "3"])
    parser.add_argument("--iters", type=int, default=40, help="training steps of a run (default: %(default)d)")
    parser.add_argument("--keep", action="store_true", help="leave the folder with logs and results")
    arguments = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="slurm-check-"))
    folder.chmod(0o755)  # munge's clients must reach its socket
    expected = len(arguments.papers) * len(arguments.seeds)
    on_slurm, locally = Records(folder / "on-slurm"), Records(folder / "locally")
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tear down, too
    try:
        if os.geteuid() != 0:
            raise Failure("needs root, for the daemons of a cluster")
        install_missing()
        with Cluster(folder) as cluster:
            run_on_slurm(cluster, matrix_command(arguments, "slurm", expected, on_slurm.folder), on_slurm, expected)
        middle = time.monotonic()
        subprocess.check_call(matrix_command(arguments, "local", os.cpu_count() or 1, locally.folder), cwd=str(ROOT))
        judge(on_slurm, locally, expected)
        print("slurm-check: %d records, none lost, none written twice, same as locally; %.0f s on Slurm, %.0f s here"
              % (expected, middle - begun, time.monotonic() - middle))  # fmt: skip
    except (Failure, subprocess.CalledProcessError) as error:
        print("slurm-check: FAILED: %s; logs in %s" % (error, folder), file=sys.stderr)
        return 1
    if not arguments.keep:
        shutil.rmtree(str(folder), ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
