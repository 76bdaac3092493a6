"""The commands `reference` and `compare`: runs, and what sets them side by side."""

from shared_data.cli.shared import main


def test_reference_and_compare(capsys, tmp_path):
    words = ["reference", "synthetic", "--seeds", "1", "2", "--out", str(tmp_path)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.count("svm synthetic, protocol disjoint, seed") == out.count("1nn synthetic, protocol disjoint") == 2
    assert main(["compare", str(tmp_path), "--scene", "synthetic"]) == 0
    out = capsys.readouterr().out
    assert "| synthetic | svm |" in out and "| synthetic | svm | 1nn |" in out and "seed 2" in out
    assert main(["compare", str(tmp_path), "--scene", "pavia"]) == 0
    assert "No runs under the protocol" in capsys.readouterr().out
    assert main(["compare", str(tmp_path), "--scene", "mars"]) == 1
    assert main(["reference", "mars", "--out", str(tmp_path)]) == 1
    assert main(["reference", "synthetic", "--method", "forest", "--out", str(tmp_path)]) == 1
    assert "unknown baseline 'forest'; there are: svm, 1nn" in capsys.readouterr().err
