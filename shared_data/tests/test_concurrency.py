"""Sixteen processes fetch one scene at the same moment: one downloads it, the others wait and use its files."""

import hashlib
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

from contracts.faults import note
from contracts.marks import LONG

AT_ONCE = 16
FETCH = """
import sys
from shared_data.scenes import catalogue
from shared_data.cli.shared import main
known = dict(catalogue.scenes())
scene = known["indianpines"]
urls, hashes = sys.argv[1:3], sys.argv[3:5]
scene = scene._replace(
    cube=scene.cube._replace(sha256=hashes[0], urls=(urls[0],)),
    ground_truth=scene.ground_truth._replace(sha256=hashes[1], urls=(urls[1],)),
)
catalogue.scenes = lambda: {"indianpines": scene}
sys.exit(main(["fetch", "indianpines", *sys.argv[5:]]))
"""


class ThreadingHTTPServer(ThreadingMixIn, HTTPServer):
    daemon_threads = True


class Handler(BaseHTTPRequestHandler):
    def __init__(self, contents, asked, *arguments):
        self.contents, self.asked = contents, asked
        super().__init__(*arguments)

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Range")))
        body = self.contents[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@LONG
def test_sixteen_fetch_at_once_and_one_downloads(tmp_path):
    contents = {"/cube.mat": os.urandom(3000000), "/truth.mat": os.urandom(30000)}
    asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, contents, asked))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        urls = ["http://127.0.0.1:%d%s" % (server.server_port, path) for path in contents]
        hashes = [hashlib.sha256(content).hexdigest() for content in contents.values()]
        folder = tmp_path / "raw"
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment["HSI_DATA"] = str(folder)
        words = [sys.executable, "-c", FETCH, *urls, *hashes]
        processes = [
            subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for _ in range(AT_ONCE)
        ]
        said = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert [process.returncode for process in processes] == [0] * AT_ONCE, said
    assert sorted(asked) == [(path, None) for path in sorted(contents)]
    found = sorted(path.read_bytes() for path in folder.iterdir() if not path.name.startswith("."))
    assert found == sorted(contents.values())
    assert all(path.name.endswith(".lock") for path in folder.iterdir() if path.name.startswith("."))
    note("one scene fetched at once", "fetch", AT_ONCE, "each file asked for once, all intact")
