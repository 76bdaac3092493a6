"""The baselines run on a paper's own pixels."""

import importlib
import json

import pytest

from shared_data.runs.request import Request
from shared_data.splits.draws import index_hash
from shared_data.splits.shared_protocols import is_shared


@pytest.mark.stack_independent
class Baselines:
    """The command `baselines`; for the fixture `paper`."""

    def test_a_baseline_has_the_pixels_of_every_own_protocol(self, paper, tmp_path, capsys):
        method, seed = importlib.import_module(paper.package + ".method").METHOD, paper.default_seed
        own = [protocol for protocol in paper.protocols.split(", ") if not is_shared(protocol)]
        assert "paper" in own
        for protocol in own:
            words = ["synthetic", "--protocol", protocol, "--method", "1nn-position", "--out", str(tmp_path)]
            assert paper.main(["baselines"] + words) == 0
            name = "%s-%s" % (paper.slug, protocol)
            assert "1nn-position synthetic, protocol %s, seed %d: OA" % (name, seed) in capsys.readouterr().out
            request = Request("synthetic", protocol, seed, None, False, "cpu", None, (), tmp_path, False)
            configuration, loaded = method.resolve(request)
            split = method.draw(loaded, configuration, seed).split
            run = tmp_path / "1nn-position" / "synthetic" / name / ("seed-%d" % seed) / "run.json"
            found = json.loads(run.read_text())["split"]
            assert {part: found[part]["sha256"] for part in found} == {
                part: index_hash(pixels) for part, pixels in split._asdict().items()
            }

    def test_shared_protocols_are_refused_and_others_unknown(self, paper, tmp_path, capsys):
        for protocol, told in (
            ("disjoint", "make reference-<scene>"),
            ("hope", "unknown protocol 'hope'; there are: "),
        ):
            words = ["synthetic", "--protocol", protocol, "--out", str(tmp_path)]
            assert paper.main(["baselines"] + words) == 1
            assert told in capsys.readouterr().err
        assert paper.main(["baselines", "synthetic", "--method", "forest", "--out", str(tmp_path)]) == 1
        assert "unknown baseline 'forest'; there are: svm, rf, lr, 1nn, svm-5x5, " in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
