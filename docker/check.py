"""Build the images without CUDA for real and try them, with neither a Docker daemon nor a container registry.

    python docker/check.py                            every paper, variants cpu and cpu-era
    python docker/check.py --papers a2s2k ssdgl --variants cpu

Needs root on a Debian or Ubuntu host with buildah and debootstrap (apt-get install buildah debootstrap), and for the
era images an interpreter of the time (pyenv). The base image is Debian 12, made by debootstrap; the host's old
interpreters are copied to its /usr/local. What pip is told on this host (certificates, indexes, wheel folders, cache)
holds inside the builds, too; BUILD_MOUNTS adds further mounts, space-separated HOST:PATH[:ro].

Inside every image, as user 12345 who is unknown to it: the entry point's words; a search for places it can write to;
the golden tests; TensorBoard, where it is there; and the demo under each protocol, its run under `paper` stopped by
SIGTERM and resumed. Everything made is removed at the end. Exit code 1 where anything failed.

On a busy host OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE keep the numerical libraries from waiting for each other.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from build import build_command, revision
from variants import PAPERS, build_arguments

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".ci"))
from make_env import find_python  # noqa: E402

MIRROR = "http://deb.debian.org/debian"
PREFIX = "hsi-check"
CACHE = "/var/cache/pip"  # inside a build, the host's
USER = "12345:12345"
STOPPED = 143  # exit code after SIGTERM; of a run, that it can be resumed
THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")  # a busy host's settings hold inside
WRITABLE = {"/tmp", "/results", "/var/tmp", "/run/lock", "/dev/shm"}

# the tests of a paper that compare with numbers from elsewhere; they read the folder tests/golden
GOLDEN_TESTS = {
    "apdclnn": ("test_network.py", "test_pd_conv_lstm.py", "test_pseudo_complex.py", "test_deformable.py",
                "test_gabor.py"),
}  # fmt: skip
# shared libraries of Debian 12 that an interpreter built on it links to
INTERPRETER_LIBRARIES = "libssl3,libffi8,libbz2-1.0,liblzma5,libsqlite3-0,libreadline8,libncursesw6,zlib1g,libexpat1"


class Failure(Exception):
    """A step went wrong; the message names it and ends with what it printed."""


class Row(NamedTuple):
    """What was measured with one image; seconds, and 10^6 bytes."""

    image: str
    build: float
    size: float
    demo: Tuple[Tuple[str, float], ...]
    tests: str


def call(words: Sequence[str], step: str, expected: Sequence[int] = (0,), limit: float = 1800) -> str:
    """Run a command; returns what it printed. Raises: Failure."""
    running = subprocess.Popen(
        list(words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = running.communicate(timeout=limit)[0]
    except BaseException as error:
        # buildah's children in the chroot would outlive it
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failure("%s: not done after %d s" % (step, limit)) from None
        raise
    text = output.decode(errors="replace")
    if running.returncode not in expected:
        raise Failure("%s: exit code %d, expected %s\n%s" % (step, running.returncode, expected, text[-3000:]))
    return text


def pip_settings() -> Dict[str, str]:
    """What pip is told on this host, by its configuration files and its environment."""
    listed = call([find_python("modern"), "-m", "pip", "config", "list"], "pip config list")
    pairs = re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed, re.MULTILINE)
    wanted = ("cert", "index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "timeout")
    return {name: value for name, value in pairs if name in wanted}


def host_mounts(folder: Path) -> List[str]:
    """Mounts that give a build this host's pip settings, and the files these name."""
    settings = pip_settings()
    words = [word.replace("file://", "") for value in settings.values() for word in value.split()]
    cache = call([find_python("modern"), "-m", "pip", "cache", "dir"], "pip cache dir").strip()
    if os.path.isdir(cache):
        settings["cache-dir"] = CACHE
    configuration = folder / "pip.conf"
    configuration.write_text("[global]\n" + "".join("%s = %s\n" % pair for pair in settings.items()))
    mounts = ["%s:/etc/pip.conf:ro" % configuration]
    for path in words:
        if path.startswith("/") and os.path.exists(path):
            # an index folder may consist of links into its neighbours
            path = os.path.dirname(path) if os.path.basename(path) == "simple" else path
            mounts.append("%s:%s:ro" % (path, path))
    if os.path.isdir(cache):
        mounts.append("%s:%s" % (cache, CACHE))
    return mounts + os.environ.get("BUILD_MOUNTS", "").split()


def make_base(name: str, interpreters: Sequence[str], folder: Path) -> None:
    """The base image: Debian 12 and, in its /usr/local, the host's interpreters of these versions."""
    root = folder / "rootfs"
    include = "--include=ca-certificates," + INTERPRETER_LIBRARIES
    call(["debootstrap", "--variant=minbase", include, "bookworm", str(root), MIRROR], "debootstrap")
    for archive in (root / "var/cache/apt/archives").glob("*.deb"):
        archive.unlink()
    left_out = shutil.ignore_patterns("test", "tests", "idlelib", "tkinter", "__pycache__", "config-*", "*.a")
    for version in interpreters:
        python = find_python(version)
        if python is None:
            raise Failure("base image: no Python %s on this host; install one (for example with pyenv)" % version)
        prefix = Path(call([python, "-c", "import sys; print(sys.base_prefix)"], "prefix").strip())
        library = "lib/python%s" % version
        shutil.copytree(str(prefix / library), str(root / "usr/local" / library), symlinks=True, ignore=left_out)
        for shared in (prefix / "lib").glob("libpython*.so*"):
            shutil.copy2(str(shared), str(root / "usr/local/lib"), follow_symlinks=False)
        shutil.copy2(str(prefix / "bin" / ("python" + version)), str(root / "usr/local/bin"))
    call(["chroot", str(root), "ldconfig"], "ldconfig")
    container = call(["buildah", "from", "scratch"], "buildah from").split()[-1]
    try:
        call(["buildah", "add", "--quiet", container, str(root), "/"], "buildah add")
        call(["buildah", "commit", "--quiet", container, name], "buildah commit")
    finally:
        call(["buildah", "rm", container], "buildah rm")
        shutil.rmtree(str(root))


def build(paper: str, variant: str, base: str, mounts: Sequence[str]) -> Tuple[str, float, float]:
    """(image, seconds, 10^6 bytes) of a fresh build."""
    arguments = build_arguments(PAPERS[paper].variants[variant], revision())
    arguments["BASE"] = base
    arguments.pop("PIP_EXTRA_INDEX_URL", None)  # this host's pip settings hold instead
    image = "%s/%s:%s" % (PREFIX, paper, variant)
    tool = ["buildah", "bud", "--isolation", "chroot"]
    started = time.monotonic()
    call(build_command(tool, paper, image, arguments, mounts), "build of %s" % image)
    seconds = time.monotonic() - started
    size = json.loads(call(["buildah", "images", "--json", image], "size"))[0]["size"]
    return image, seconds, megabytes(size)


def megabytes(size: str) -> float:
    """buildah's '1.62 GB' in 10^6 bytes."""
    number, unit = size.split()
    return float(number) * {"KB": 1e-3, "MB": 1, "GB": 1e3}[unit]


class Container:
    """A container of an image with a results folder of its own, for one unknown user."""

    def __init__(self, image: str, folder: Path):
        self.image = image
        self.results = folder / "results"
        self.results.mkdir()
        self.results.chmod(0o1777)
        self.name = call(["buildah", "from", image], "buildah from").split()[-1]

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: Any) -> None:
        call(["buildah", "rm", self.name], "buildah rm")
        shutil.rmtree(str(self.results))

    def words(self, command: Sequence[str], mounts: Sequence[str] = ()) -> List[str]:
        """The words that run a command inside."""
        words = ["buildah", "run", "--isolation", "chroot", "--user", USER]
        for name in THREADS:
            words += ["--env", "%s=%s" % (name, os.environ[name])] if name in os.environ else []
        for mount in ["%s:/results" % self.results, *mounts]:
            words += ["--volume", mount]
        return words + [self.name, "--", *command]

    def run(self, command: Sequence[str], expected: Sequence[int] = (0,), mounts: Sequence[str] = ()) -> str:
        """Run a command inside; returns what it printed. Raises: Failure."""
        step = "%s: %s" % (self.image, " ".join(command[:6]))
        return call(self.words(command, mounts), step, expected)

    def hsi(self, *words: str, expected: Sequence[int] = (0,)) -> str:
        """The image's entry point, which buildah does not put in front by itself."""
        return self.run(["/usr/local/bin/hsi", *words], expected)


def expect(text: str, part: str, step: str) -> None:
    """Raises: Failure where `part` does not occur in `text`."""
    if part not in text:
        raise Failure("%s: expected '%s', found\n%s" % (step, part, text[-2000:]))


def check_words(container: Container) -> None:
    """The image explains itself, and its small commands answer."""
    expect(container.hsi(), "reproduce CONFIGURATION", "no command")
    expect(container.hsi("--help"), "docker run", "--help")
    expect(container.hsi("reproduce", "--help"), "--protocol", "reproduce --help")
    expect(container.hsi("list"), "synthetic", "list")
    expect(container.hsi("verify", "indianpines", expected=(1,)), "/data", "verify without data")
    expect(container.hsi("nonsense", expected=(2,)), "there is no command 'nonsense'", "unknown command")


def protocols(container: Container) -> List[str]:
    """The paper's own protocols, asked of its package; those that all methods share are left out."""
    code = (
        "import importlib, os; from shared_data.splits.shared_protocols import UNDER_SHARED; "
        "decisions = importlib.import_module(os.environ['HSI_PACKAGE'] + '.decisions'); "
        "print(*(name for name in decisions.PROTOCOLS if name != UNDER_SHARED))"
    )
    return container.run(["python", "-c", code]).split("\n")[-2].split()


def stop_and_resume(container: Container) -> None:
    """SIGTERM to the first process saves the run; the next call of the same command must find it."""
    script = (
        "hsi reproduce synthetic --protocol paper & run=$!; "
        'log="/results/*/synthetic/paper/seed-*/log.txt"; '
        'while kill -0 "$run" && ! grep -qs . $log; do sleep 0.5; done; sleep 4; '
        'kill -TERM "$run"; wait "$run"'
    )
    expect(container.run(["sh", "-c", script], expected=(STOPPED,)), "resumes", "SIGTERM")


def demo(container: Container) -> Tuple[Tuple[str, float], ...]:
    """(protocol, seconds) of the demo; the run of `paper` was stopped before, its seconds are those of the rest."""
    stop_and_resume(container)
    times = []
    for protocol in protocols(container):
        started = time.monotonic()
        expect(container.hsi("reproduce", "synthetic", "--protocol", protocol), "OA ", "demo %s" % protocol)
        times.append((protocol, time.monotonic() - started))
    records = list(container.results.glob("*/synthetic/*/seed-*/run.json"))
    if len(records) != len(times) or {record.stat().st_uid for record in records} != {int(USER.split(":")[0])}:
        raise Failure("demo: expected %d records of user %s, found %s" % (len(times), USER, records))
    expect(container.hsi("diff", "--experiment", "synthetic"), "synthetic scene", "diff")
    return tuple(times)


def golden_tests(container: Container, folder: str) -> str:
    """Run the golden tests; they and the contracts they use are not in the image. Returns pytest's closing line."""
    inside = "/opt/hsi/%s/tests" % folder
    files = ["%s/%s" % (inside, name) for name in GOLDEN_TESTS.get(folder, ("test_golden.py",))]
    contracts = "shared_data/contracts"
    mounts = ["%s:%s:ro" % (ROOT / folder / "tests", inside), "%s:/opt/hsi/%s:ro" % (ROOT / contracts, contracts)]
    text = container.run(["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *files], mounts=mounts)
    return text.strip().split("\n")[-1].strip("= ")


def check_tensorboard(container: Container) -> None:
    """TensorBoard answers, where the image brings it. Containers share the host's network here, hence a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ask = "import urllib.request as r; print('status', r.urlopen('http://127.0.0.1:%d').getcode())" % port
    script = (
        "hsi tensorboard --host 127.0.0.1 --port %d >/tmp/tensorboard.log 2>&1 & server=$!; "
        'for _ in $(seq 60); do python -c "%s" 2>/dev/null && break; sleep 1; done; '
        'kill "$server"; cat /tmp/tensorboard.log' % (port, ask)
    )
    expect(container.run(["sh", "-c", script]), "status 200", "tensorboard")


def check_writable(container: Container) -> None:
    """The unknown user can write to /results and to temporary folders, and nowhere else."""
    skipped = " ".join("-path %s -prune -o" % path for path in ("/proc", "/sys", "/dev", "/tmp", "/results"))
    found = container.run(["sh", "-c", "find / %s -writable ! -type l -print 2>/dev/null; true" % skipped]).split()
    surplus = sorted(set(found) - WRITABLE)
    if surplus:
        raise Failure("%s: an unknown user can write to %s" % (container.image, ", ".join(surplus[:10])))


def check_image(paper: str, variant: str, base: str, mounts: Sequence[str], folder: Path, with_demo: bool) -> Row:
    """Build an image, try it, remove it."""
    image, seconds, size = build(paper, variant, base, mounts)
    try:
        with Container(image, folder) as container:
            check_words(container)
            check_writable(container)
            tests = golden_tests(container, PAPERS[paper].folder)
            if paper in ("da-imrn", "apdclnn"):
                check_tensorboard(container)
            return Row(image, seconds, size, demo(container) if with_demo else (), tests)
    finally:
        call(["buildah", "rmi", image], "buildah rmi")


def show(rows: Sequence[Row]) -> None:
    """The measurements as a Markdown table."""
    print("| image | build s | size MB | demo s | golden tests |\n|---|---|---|---|---|")
    for row in rows:
        times = ", ".join("%s %.0f" % pair for pair in row.demo) or "–"
        print("| %s | %.0f | %.0f | %s | %s |" % (row.image.split("/")[-1], row.build, row.size, times, row.tests))


def main() -> int:
    """Check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--papers", nargs="+", choices=sorted(PAPERS), default=list(PAPERS))
    parser.add_argument("--variants", nargs="+", choices=("cpu", "cpu-era"), default=["cpu", "cpu-era"])
    parser.add_argument("--no-demo", action="store_true", help="leave out the demo, which takes the most time")
    parser.add_argument("--keep-base", action="store_true", help="leave the base image to the next call")
    words = parser.parse_args()
    for tool in ("buildah", "debootstrap"):
        if shutil.which(tool) is None:
            print("error: %s is not installed; run: apt-get install buildah debootstrap" % tool, file=sys.stderr)
            return 1
    if not stat.S_ISCHR(os.stat(os.devnull).st_mode):
        # containers get the host's, in which a file is read-only
        repair = "rm -f {0} && mknod -m 666 {0} c 1 3".format(os.devnull)
        print("error: %s is not a device but a file; run as root: %s" % (os.devnull, repair), file=sys.stderr)
        return 1

    # terminated, it still removes what it made
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    started = time.monotonic()
    rows, failures = [], []
    eras = sorted({PAPERS[paper].variants["cpu-era"].python for paper in words.papers if "cpu-era" in words.variants})
    base = "%s/base:%s" % (PREFIX, "-".join(["bookworm", *eras]))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        mounts = host_mounts(folder)
        if call(["buildah", "images", "--noheading", "--quiet", "--filter", "reference=" + base], "images") == "":
            make_base(base, eras, folder)
        for paper in words.papers:
            for variant in words.variants:
                print("%s %s ..." % (paper, variant), flush=True)
                try:
                    rows.append(check_image(paper, variant, base, mounts, folder, not words.no_demo))
                    show(rows[-1:])
                except Failure as failure:
                    failures.append(str(failure))
                    print("FAILED: %s" % failure, flush=True)
    except Failure as failure:
        failures.append(str(failure))
        print("FAILED: %s" % failure, flush=True)
    finally:
        shutil.rmtree(str(folder))
        if not words.keep_base:
            subprocess.run(["buildah", "rmi", base], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    print()
    show(rows)
    print("\n%d passed, %d failed, after %.0f minutes" % (len(rows), len(failures), (time.monotonic() - started) / 60))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
