"""The demo: which runs it starts, and the table, the picture and the report it makes of them."""

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
from tools.demo import runs
from tools.demo.__main__ import main
from tools.demo.table import baseline_accuracy

pytest.importorskip("jinja2")  # of the report; the stacks of the papers' time lack it


def option(words, name):
    return words[words.index(name) + 1] if name in words else None


@pytest.fixture
def started(monkeypatch):
    """The commands that the demo starts; a method that learns the most frequent class stands for every paper."""
    commands = []

    def start(words, stdout):
        commands.append(words)
        paper, fold = Path(words[0]).parts[-3].replace("-modern", ""), option(words, "--fold")
        request = Request(
            words[4], option(words, "--protocol"), 1, None, False, "cpu", int(option(words, "--iters")), (),
            Path(option(words, "--out")), "--force" in words, fold=fold if fold is None else int(fold),
        )  # fmt: skip
        reproduce_all(METHOD._replace(slug=paper), request)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(runs, "subprocess", SimpleNamespace(run=start, PIPE=None))
    return commands


def test_the_demo_runs_three_protocols_and_shows_table_picture_and_report(tmp_path, capsys, started):
    words = ["--paper", "ssdgl=ssdgl", "--paper", "apdclnn=apdclnn", "--out", str(tmp_path), "--device", "cpu"]
    assert main(words) == 0
    assert [(words[2], option(words, "--protocol"), option(words, "--fold")) for words in started] == [
        ("ssdgl", "released", None), ("ssdgl", "paper", None), ("ssdgl", "spatial-cv", "0"),
        ("apdclnn", "paper", None), ("apdclnn", "spatial-cv", "0"),
    ]  # fmt: skip
    assert option(started[0], "--iters") == str(runs.STEPS["ssdgl"]) and "--verbose" not in started[0]
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith(("ssdgl ", "apdclnn "))}
    assert len(rows["ssdgl"]) == len(rows["apdclnn"]) == 9
    assert [cell == "–" for cell in rows["apdclnn"]] == [True, False, False] * 3
    assert "steps limited" in out and "one of the five folds" in out
    assert str(tmp_path / "report" / "report.html") in out and (tmp_path / "report" / "report.html").exists()
    with Image.open(str(tmp_path / "montage.png")) as picture:
        assert min(picture.size) > 500


def test_the_log_is_shown_where_asked_for(tmp_path, started):
    assert main(["--paper", "rssgl=rssgl", "--out", str(tmp_path), "--verbose"]) == 0
    assert all("--verbose" in words for words in started)


def test_a_run_that_fails_ends_the_demo_with_one_sentence(tmp_path, capsys, monkeypatch):
    failing = SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=1), PIPE=None)
    monkeypatch.setattr(runs, "subprocess", failing)
    assert main(["--paper", "ssdgl=ssdgl", "--out", str(tmp_path)]) == 1
    assert "the run of ssdgl under released failed with code 1" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(runs, "_INTERPRETER", str(tmp_path / "%s"))
    assert main(["--paper", "ssdgl=ssdgl", "--out", str(tmp_path)]) == 1
    assert "make demo makes its environment first" in capsys.readouterr().err


def test_a_paper_that_is_unknown_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--paper", "mars=mars"])
    assert "expected slug=package of one of ssdgl, " in capsys.readouterr().err


def test_baselines_are_fitted_on_the_pixels_of_the_run():
    truth = load_scene("synthetic").ground_truth
    split = draw_per_class(truth, [5] * 9, seed=1)
    few, many = (baseline_accuracy("1nn-position", draw_per_class(truth, [n] * 9, seed=1)) for n in (2, 4))
    assert few < many < 1
    itself = split._replace(test=split.train)
    assert baseline_accuracy("1nn-position", itself) == 1.0 and np.array_equal(itself.test, split.train)
