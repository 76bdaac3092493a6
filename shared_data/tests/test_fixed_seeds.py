"""The comparison of short runs: it fails where results differ, and where there was nothing to compare with."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "fixed_seeds.py"
NAMES = ["rssgl synthetic %s 40" % protocol for protocol in ("released", "paper", "disjoint")]

pytestmark = pytest.mark.stack_independent


@pytest.fixture
def compare(monkeypatch, tmp_path, capsys):
    """Compare runs of RSSGL whose results are always `RESULT` with a file of results; exit code and last lines."""
    spec = importlib.util.spec_from_file_location("fixed_seeds", str(SCRIPT))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
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
    assert compare(known) == (0, ["0 of 3 runs differ"])


def test_another_result_fails(compare):
    known = dict(dict.fromkeys(NAMES, RESULT), **{NAMES[0]: dict(RESULT, prediction="1")})
    assert compare(known) == (1, ["1 of 3 runs differ"])


def test_runs_of_one_side_only_are_named_and_fail(compare):
    missing = ["not compared: %s: only in this checkout" % name for name in sorted(NAMES)]
    assert compare({}) == (1, ["0 of 0 runs differ"] + missing)
    known = dict(dict.fromkeys(NAMES, RESULT), **{"rssgl indianpines paper 20": RESULT})
    assert compare(known) == (1, ["0 of 3 runs differ", "not compared: rssgl indianpines paper 20: only in FILE"])
