"""The commands `reference` and `compare`: runs, and what sets them side by side."""

import csv

import pytest

from shared_data.cli.shared import main
from shared_data.errors import RecordError
from shared_data.records.audit_file import add_to_record
from shared_data.records.record import read_record

pytestmark = pytest.mark.stack_independent


def test_reference_and_compare(capsys, tmp_path):
    words = ["reference", "synthetic", "--protocol", "disjoint", "--method", "svm", "1nn", "--out", str(tmp_path)]
    assert main(words + ["--seeds", "1", "2"]) == 0
    out = capsys.readouterr().out
    assert out.count("svm synthetic, protocol disjoint, seed") == out.count("1nn synthetic, protocol disjoint") == 2
    words = ["compare", str(tmp_path), "--scene"]
    assert main(words + ["synthetic", "--protocol", "disjoint"]) == 0
    out = capsys.readouterr().out
    assert "| svm |" in out and "| 1nn |" in out and "| 1 2 |" in out and "A − B" in out and "Recall in percent" in out
    assert main(words + ["synthetic", "--protocol", "disjoint", "--format", "latex"]) == 0
    out = capsys.readouterr().out
    assert out.count(r"\begin{tabular}") == out.count(r"\end{tabular}") == 3 and "| svm |" not in out
    assert main(words + ["synthetic", "--protocol", "disjoint", "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 2 * (3 + 9) and {row["method"] for row in rows} == {"svm", "1nn"}
    assert all((row["class"] != "") == (row["accuracy"] == "recall") == (row["std"] == "") for row in rows)
    # classes of a single unit have no interval
    shown = [row for row in rows if row["interval_from"] or (row["mean"] and row["accuracy"] != "recall")]
    known = [[float(row[name]) for name in ("interval_from", "mean", "interval_to")] for row in shown]
    assert len(known) > 6 and all(low <= mean + 1e-9 <= high + 2e-9 for low, mean, high in known)
    figures = tmp_path / "figures"
    assert main(words + ["synthetic", "--protocol", "disjoint", "--figures", str(figures)]) == 0
    names = ["synthetic-disjoint-%s.svg" % name for name in ("by-distance", "classes", "distances", "split")]
    assert sorted(path.name for path in figures.iterdir()) == names
    assert all("<svg" in path.read_text(encoding="utf-8") for path in figures.iterdir())
    capsys.readouterr()
    assert main(words + ["synthetic"]) == 0
    assert "No runs under the protocol `spatial-cv`." in capsys.readouterr().out
    assert main(words + ["synthetic", "--protocol", "paper"]) == 1
    assert "(spatial-cv, " in capsys.readouterr().err
    assert main(words + ["mars"]) == 1
    assert main(["reference", "mars", "--out", str(tmp_path)]) == 1
    assert main(["reference", "synthetic", "--method", "forest", "--out", str(tmp_path)]) == 1
    assert "unknown baseline 'forest'; there are: svm, " in capsys.readouterr().err


def test_audited_baselines_say_what_they_use_and_a_repeat_has_the_audit_of_its_first_fold(capsys, tmp_path):
    words = ["reference", "synthetic", "--method", "1nn-position", "--audit", "--out", str(tmp_path)]
    assert main(words) == 0
    verdict = "ignores spectra; otherwise clean for 1 step"
    assert "1nn-position, audit: %s\n" % verdict in capsys.readouterr().out
    repeat = tmp_path / "1nn-position/synthetic/spatial-cv/seed-1"
    pooled, first, second = (read_record(repeat / part / "run.json") for part in ("", "fold-0", "fold-1"))
    assert pooled["audit"] == first["audit"] and "audit" not in second
    assert (pooled["audit"]["audit_verdict"], pooled["audit"]["audit_fold"]) == (verdict, 0)
    assert pooled["audit"]["audit_split_test_sha256"] == first["split"]["test"]["sha256"]
    # afterwards, and in a kept record of the repeat
    with pytest.raises(RecordError, match="is of another split"):
        add_to_record(repeat / "run.json", dict(first["audit"], audit_fold=1))
    add_to_record(repeat / "run.json", dict(first["audit"], audit_steps=2))
    assert read_record(repeat / "run.json")["audit"]["audit_steps"] == 2
