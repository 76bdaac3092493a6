"""What .ci says passed was tried: the comparison of short runs fails where results differ and where there was nothing
to compare with, the suites where one of a current stack is missing, the table of faults where a row would vanish."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from contracts import faults
from shared_data.errors import SharedDataError

CI = Path(__file__).resolve().parents[2] / ".ci"
NAMES = ["rssgl synthetic %s 40" % protocol for protocol in ("released", "paper", "disjoint", "spatial-cv")]

pytestmark = pytest.mark.stack_independent


@pytest.fixture
def module():
    spec = importlib.util.spec_from_file_location("fixed_seeds", str(CI / "fixed_seeds.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def compare(module, monkeypatch, tmp_path, capsys):
    """Compare runs of RSSGL whose results are always `RESULT` with a file of results; exit code and last lines."""
    monkeypatch.delenv("HSI_DATA", raising=False)
    monkeypatch.setattr(module, "result_of", lambda *run: RESULT)
    path = tmp_path / "before.json"

    def call(known):
        path.write_text(json.dumps(known))
        monkeypatch.setattr("sys.argv", ["fixed_seeds.py", "compare", str(path), "--papers", "rssgl"])
        code = module.main()
        lines = capsys.readouterr().out.replace(str(path), "FILE").splitlines()
        return code, lines[[" runs differ" in line for line in lines].index(True) :]

    return call


RESULT = {"metrics": {"oa": 0.5}, "weights": {}, "prediction": "0"}


def test_equal_results_pass_whatever_is_known_of_other_papers(compare):
    known = dict(dict.fromkeys(NAMES, RESULT), **{"ssdgl synthetic gone 40": RESULT})
    assert compare(known) == (0, ["0 of 4 runs differ"])


def test_another_result_fails(compare):
    known = dict(dict.fromkeys(NAMES, RESULT), **{NAMES[0]: dict(RESULT, prediction="1")})
    assert compare(known) == (1, ["1 of 4 runs differ"])


def test_runs_of_one_side_only_are_named_and_fail(compare):
    missing = ["not compared: %s: only in this checkout" % name for name in sorted(NAMES)]
    assert compare({}) == (1, ["0 of 0 runs differ"] + missing)
    known = dict(dict.fromkeys(NAMES, RESULT), **{"rssgl indianpines paper 20": RESULT})
    assert compare(known) == (1, ["0 of 4 runs differ", "not compared: rssgl indianpines paper 20: only in FILE"])


def test_of_a_cross_validation_one_fold_is_run(module, record, monkeypatch):
    asked = []

    def run(words, **_):
        asked.append(words)
        folder = Path(words[words.index("--out") + 1])
        (folder / "run.json").write_text(json.dumps(dict(record, weights={})))
        (folder / "prediction.npy").write_bytes(b"a map")

    monkeypatch.setattr(module.subprocess, "run", run)
    for protocol in ("paper", "spatial-cv"):
        assert module.result_of("rssgl", "synthetic", protocol, 40)["metrics"]["oa"] == record["metrics"]["oa"]
    assert "--fold" not in asked[0] and asked[1][-2:] == ["--fold", "0"]


# the suites


def run_suites(folder, *stacks):
    """`.ci/test` in a folder with environments of these stacks, in which all passes; exit code and lines."""
    (folder / ".ci").mkdir()
    shutil.copy(str(CI / "test"), str(folder / ".ci"))
    for stack in stacks:
        for slug in ("shared", "ssdgl", "rssgl", "a2s2k", "da-imrn", "apdclnn"):
            program = folder / ".venvs" / ("%s-%s" % (slug, stack)) / "bin" / "python"
            program.parent.mkdir(parents=True)
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
            (program.parents[1] / ".ready").write_text("")
    done = subprocess.run([str(folder / ".ci" / "test")], stdout=subprocess.PIPE, universal_newlines=True)
    return done.returncode, done.stdout.splitlines()


def test_suites_of_the_papers_time_may_be_skipped_and_are_counted(tmp_path):
    code, lines = run_suites(tmp_path, "modern")
    assert code == 0 and lines[-1] == "all test suites passed, 5 skipped"
    assert sum(line.startswith("skipped: there is no .venvs/") for line in lines) == 5


def test_a_suite_of_a_current_stack_may_not(tmp_path):
    code, lines = run_suites(tmp_path, "era")
    assert code == 1 and lines[-1].startswith("FAILED: ") and len(lines[-1].split()) == 1 + 7
    assert "shared-modern-shared_data" in lines[-1] and "era" not in lines[-1]


# the table of faults


def test_a_row_of_the_table_of_faults_does_not_vanish(tmp_path, monkeypatch, capsys):
    log, document = tmp_path / "log", tmp_path / "faults.md"
    monkeypatch.setenv("HSI_FAULTS_LOG", str(log))
    document.write_text("<!-- faults -->\n<!-- end faults -->\n", encoding="utf-8")
    faults.note("kill", "ssdgl", 20, "same bits")
    faults.note("kill", "rssgl", 20, "same bits")
    assert faults.main([str(log), str(document)]) == 0
    before = document.read_text(encoding="utf-8")
    log.unlink()
    faults.note("kill", "rssgl", 19, "same bits")
    faults.note("disk full", "ssdgl", 12, "same bits")
    capsys.readouterr()
    with pytest.raises(SharedDataError, match=r"were not tested: kill: ssdgl\. "):
        faults.main([str(log), str(document)])
    assert document.read_text(encoding="utf-8") == before
    assert "| kill | rssgl | 19 | same bits |" in capsys.readouterr().out  # hours of work are not lost
    faults.note("kill", "ssdgl", 21, "same bits")
    assert faults.main([str(log), str(document)]) == 0
    assert "| kill | ssdgl | 21 |" in document.read_text(encoding="utf-8")
