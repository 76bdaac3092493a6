"""The demo: which runs it starts, and the table, the picture and the report it makes of them."""

import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from toy_method import METHOD

from shared_data.runs.cross_validation import reproduce_all
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import draw_per_class
from tools.demo import one_paper, runs
from tools.demo.__main__ import main
from tools.demo.table import baseline_accuracy

pytest.importorskip("jinja2")  # of the report; the stacks of the papers' time lack it


def option(words, name):
    return words[words.index(name) + 1] if name in words else None


class Process:
    """Stands for a started process: the runs of a paper, or an exit code alone, and what it wrote."""

    def __init__(self, returncode, lines=()):
        self.returncode, self.stderr = returncode, lines

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def started(monkeypatch):
    """The commands of the runs, by paper; a method that learns the most frequent class stands for every paper."""
    commands = {}

    def reproduce(slug, words):
        commands.setdefault(slug, []).append(words)
        fold = option(words, "--fold")
        request = Request(
            words[1], option(words, "--protocol"), 1, None, False, "cpu", int(option(words, "--iters")), (),
            Path(option(words, "--out")), "--force" in words, fold=fold if fold is None else int(fold),
        )  # fmt: skip
        return 0 if reproduce_all(METHOD._replace(slug=slug), request).record else 1

    def start(words, **_options):
        slug, package = words[3:5]
        assert words[0].endswith(".venvs/%s-modern/bin/python" % slug) and words[1:3] == ["-m", "tools.demo.one_paper"]
        monkeypatch.setitem(sys.modules, package + ".cli", SimpleNamespace(main=partial(reproduce, slug)))
        return Process(one_paper.main(words[3:]), ["%s: step 5 of 5\n" % slug])

    monkeypatch.setattr(runs, "subprocess", SimpleNamespace(Popen=start, PIPE=None, DEVNULL=None))
    return commands


def test_the_demo_runs_three_protocols_and_shows_table_picture_and_report(tmp_path, capsys, started):
    words = ["--paper", "ssdgl=paper_a", "--paper", "apdclnn=paper_b", "--out", str(tmp_path), "--device", "cpu"]
    assert main(words) == 0
    assert {
        slug: [(option(words, "--protocol"), option(words, "--fold")) for words in commands]
        for slug, commands in started.items()
    } == {
        "ssdgl": [("released", None), ("paper", None), ("spatial-cv", "0")],
        "apdclnn": [("paper", None), ("spatial-cv", "0")],
    }
    first = started["ssdgl"][0]
    assert option(first, "--iters") == str(runs.STEPS["ssdgl"]) and "--verbose" not in first
    out, told = capsys.readouterr()
    assert sorted(told.splitlines()) == ["apdclnn: step 5 of 5", "ssdgl: step 5 of 5"]
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith(("ssdgl ", "apdclnn "))}
    assert list(rows) == ["ssdgl", "apdclnn"] and len(rows["ssdgl"]) == len(rows["apdclnn"]) == 9
    assert [cell == "–" for cell in rows["apdclnn"]] == [True, False, False] * 3
    assert "steps limited" in out and "one of the five folds" in out
    assert str(tmp_path / "report" / "report.html") in out and (tmp_path / "report" / "report.html").exists()
    with Image.open(str(tmp_path / "montage.png")) as picture:
        assert min(picture.size) > 500


def test_the_log_is_shown_where_asked_for(tmp_path, started):
    assert main(["--paper", "rssgl=paper_a", "--out", str(tmp_path), "--verbose"]) == 0
    assert all("--verbose" in words for words in started["rssgl"])


def test_a_run_that_fails_ends_the_demo_with_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runs.subprocess, "Popen", lambda *_, **__: Process(1, ["error: no memory\n"]))
    assert main(["--paper", "ssdgl=ssdgl", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "error: no memory" in told and "a run of ssdgl failed with code 1" in told
    monkeypatch.undo()
    monkeypatch.setattr(runs, "_INTERPRETER", str(tmp_path / "%s"))
    assert main(["--paper", "ssdgl=ssdgl", "--out", str(tmp_path)]) == 1
    assert "make demo makes its environment first" in capsys.readouterr().err


def test_after_a_run_that_fails_no_other_run_of_the_paper_is_started(monkeypatch):
    begun = []
    stand_in = SimpleNamespace(main=lambda words: begun.append(option(words, "--protocol")) or len(begun) - 1)
    monkeypatch.setitem(sys.modules, "paper_a.cli", stand_in)
    assert one_paper.main(["ssdgl", "paper_a", "--out", "here"]) == 1
    assert begun == ["released", "paper"]


def test_a_paper_that_is_unknown_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--paper", "mars=mars"])
    assert "expected slug=package of one of da-imrn, rssgl, " in capsys.readouterr().err


def test_baselines_are_fitted_on_the_pixels_of_the_run():
    truth = load_scene("synthetic").ground_truth
    split = draw_per_class(truth, [5] * 9, seed=1)
    few, many = (baseline_accuracy("1nn-position", draw_per_class(truth, [n] * 9, seed=1)) for n in (2, 4))
    assert few < many < 1
    itself = split._replace(test=split.train)
    assert baseline_accuracy("1nn-position", itself) == 1.0 and np.array_equal(itself.test, split.train)
