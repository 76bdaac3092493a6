"""The audit must find exactly the flaws of a release, protocol by protocol."""

import pytest

from contracts.marks import LONG
from shared_data.audit import read_audit
from shared_data.records.record import read_record
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import index_hash
from shared_data.splits.shared_protocols import draw_shared


@pytest.mark.stack_independent
class Audit:
    """Findings of an audit, in itself and in the run's record; for the fixture `paper`."""

    @pytest.mark.slow
    def test_the_audit_finds_what_the_protocols_say_and_a_run_keeps_it(self, paper, tmp_path, capsys):
        entries = audited(paper, paper.verdicts, tmp_path, capsys)
        fold = draw_shared(load_scene("synthetic"), "spatial-cv", paper.default_seed, 0)
        for name, pixels in fold._asdict().items():
            assert entries["spatial-cv"]["audit_split_%s_sha256" % name] == index_hash(pixels)

        words = ["reproduce", *words_of(paper, tmp_path, "spatial-cv"), "--fold", "0"]
        assert paper.main(words) == 0
        record = read_record(folder_of(paper, tmp_path, "spatial-cv") / "run.json")
        assert {k: v for k, v in record["audit"].items() if k.startswith("audit_")} == entries["spatial-cv"]
        assert record["weights"]["last"] == entries["spatial-cv"]["audit_weights_sha256"]

    @LONG
    def test_what_takes_minutes(self, paper, tmp_path, capsys):
        if not paper.long_verdicts:
            pytest.skip("all audits of this paper are in the full set")
        audited(paper, paper.long_verdicts, tmp_path, capsys)


def words_of(paper, out, protocol):
    return ["synthetic", "--protocol", protocol, "--device", "cpu", "--out", str(out), *paper.short]


def folder_of(paper, out, protocol):
    folder = out / paper.slug / "synthetic" / protocol / ("seed-%d" % paper.default_seed)
    return folder / "fold-0" if protocol == "spatial-cv" else folder


def audited(paper, verdicts, out, capsys):
    """Audit the protocols and compare with the verdicts; the audits' entries by protocol."""
    entries = {}
    for protocol in verdicts:
        assert paper.main(["audit", *words_of(paper, out, protocol)]) == 0
        head = "%s synthetic, protocol %s, seed %d, 2 steps" % (paper.slug, protocol, paper.default_seed)
        assert head in capsys.readouterr().out
        entries[protocol] = read_audit(folder_of(paper, out, protocol))
        assert entries[protocol]["audit_steps"] == 2 and len(entries[protocol]["audit_weights_sha256"]) == 64
        assert entries[protocol]["audit_split"] == "sound"
    found = {name: (kept["audit_verdict"], kept["audit_context"]) for name, kept in entries.items()}
    clean = "clean for 2 steps"
    assert found == {
        protocol: ("%s; otherwise %s" % (words, clean) if words else clean, context)
        for protocol, (words, context) in verdicts.items()
    }
    return entries
