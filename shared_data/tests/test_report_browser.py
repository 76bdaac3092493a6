"""The report in a real browser: nothing is refused or fails, columns sort, and it can be looked at and printed."""

import base64
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("jinja2")

from shared_data.records.record import write_record
from shared_data.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine"),
]

FLAGS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
)
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"

PROBE = """
const table = document.querySelector("table.classes");
const header = [...table.tHead.rows[0].cells].find((cell) => cell.textContent.startsWith("producer"));
const column = () => [...table.tBodies[0].rows].map((row) => row.cells[header.cellIndex].textContent);
const seen = { before: column(), names: [...table.tHead.querySelectorAll("button")].length };
header.querySelector("button").click();
seen.ascending = column();
seen.state = header.getAttribute("aria-sort");
header.querySelector("button").click();
seen.descending = column();
seen.stateAfter = header.getAttribute("aria-sort");
const open = () => document.querySelectorAll("details[open]").length;
seen.folded = [open()];
window.dispatchEvent(new Event("beforeprint"));
seen.folded.push(open());
window.dispatchEvent(new Event("afterprint"));
seen.folded.push(open());
seen.injected = document.documentElement.dataset.injected || "no";
seen.wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const first = document.querySelector("article.scene").getBoundingClientRect();
seen.picture = document.querySelector("article.scene img").naturalWidth;
seen.answers = [...document.querySelectorAll("article.scene dd")].map((answer) => answer.textContent.trim());
seen.order = first.bottom < document.querySelector("nav").getBoundingClientRect().top;
document.documentElement.dataset.seen = JSON.stringify(seen);
"""


@pytest.fixture
def page(tmp_path: Path, record: Dict[str, Any]) -> Path:
    """A report of one run with ten classes of different accuracies, one of them without a test pixel."""
    accuracies = [0.5, 1.0, 0.0625, None, 0.75, 0.9, 0.125, 0.25, 0.8, 0.4]
    record["metrics"].update(per_class=accuracies, confusion=(8 * np.eye(10, dtype=int)).tolist())
    record["history"] = [{"step": step, "loss": 100.0 / step**3, "test_oa": step / 40} for step in range(1, 31)]
    (tmp_path / "records").mkdir()
    write_record(tmp_path / "records" / "seed-1.json", record)
    return write_report([tmp_path / "records"], tmp_path / "out")


def browse(page: Path, *flags: str) -> Tuple[str, List[str]]:
    """What the browser prints, and the lines of its console."""
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    profile = "--user-data-dir=%s" % (page.parent / "profile")
    command = (BROWSER,) + FLAGS + root + (profile,) + flags + (page.as_uri(),)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, encoding="utf-8")
    trouble = r"CONSOLE|Uncaught|Refused to|violates"
    return done.stdout, [line for line in done.stderr.splitlines() if re.search(trouble, line)]


def photograph(page: Path, scheme: str, size: str) -> np.ndarray:
    """(H, W, 3) of a screenshot, after a look at the console."""
    picture = page.parent / "page.png"
    _, console = browse(page, scheme, "--hide-scrollbars", "--window-size=" + size, "--screenshot=%s" % picture)
    assert console == []
    assert picture.stat().st_size > 20000
    with Image.open(str(picture)) as image:
        return np.array(image.convert("RGB"))


@pytest.mark.parametrize("scheme, ground", [(LIGHT, (255, 255, 255)), (DARK, (21, 24, 27))], ids=["light", "dark"])
def test_the_page_is_drawn_in_the_readers_colours(page: Path, scheme: str, ground: Tuple[int, ...]) -> None:
    shown = photograph(page, scheme, "1280,1600")
    assert shown.shape == (1600, 1280, 3)
    assert tuple(shown[2, 2]) == ground
    inked = (shown != shown[2, 2]).any(axis=2)
    assert 0.01 < inked.mean() < 0.5
    assert inked[:400].any() and inked[1200:].any()


@pytest.mark.parametrize("width", [320, 800])
def test_columns_sort_prints_unfold_and_foreign_scripts_do_not_run(page: Path, width: int) -> None:
    text = page.read_text(encoding="utf-8")
    known = "'sha256-%s'" % base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    assert "script-src '" in text
    text = text.replace("script-src '", "script-src %s '" % known)
    foreign = '<script>document.documentElement.dataset.injected = "yes"</script>'
    page.write_text(text.replace("</body>", foreign + "<script>" + PROBE + "</script></body>"), encoding="utf-8")
    document, console = browse(page, "--window-size=%d,800" % width, "--dump-dom")
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', document).group(1)))
    assert seen["before"][:4] == ["50.00", "100.00", "6.25", "–"]
    rising = ["6.25", "12.50", "25.00", "40.00", "50.00", "75.00", "80.00", "90.00", "100.00"]
    assert seen["ascending"] == rising + ["–"] and seen["state"] == "ascending"
    assert seen["descending"] == rising[::-1] + ["–"] and seen["stateAfter"] == "descending"
    assert seen["names"] == 9
    assert seen["folded"] == [0, 1, 0]
    assert seen["injected"] == "no" and len(console) == 1
    assert seen["wider"] <= 0  # wide tables and pictures scroll in themselves, the page does not
    assert seen["picture"] > 0 and seen["order"]
    assert len(seen["answers"]) == 3 and all(answer.endswith(".") for answer in seen["answers"])


def test_the_page_prints(page: Path) -> None:
    paper = page.parent / "page.pdf"
    _, console = browse(page, DARK, "--no-pdf-header-footer", "--print-to-pdf=%s" % paper)
    assert console == []
    content = paper.read_bytes()
    assert content.startswith(b"%PDF-") and len(content) > 20000
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 2
