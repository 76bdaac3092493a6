"""The audit must find exactly the flaws of a release, protocol by protocol."""

import pytest

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
        words = ["synthetic", "--device", "cpu", "--out", str(tmp_path), *paper.short]
        entries = {}
        for protocol in paper.verdicts:
            assert paper.main(["audit", "--protocol", protocol] + words) == 0
            out = capsys.readouterr().out
            assert "%s synthetic, protocol %s, seed %d, 2 steps" % (paper.slug, protocol, paper.default_seed) in out
            folder = tmp_path / paper.slug / "synthetic" / protocol / ("seed-%d" % paper.default_seed)
            folder = folder / "fold-0" if protocol == "spatial-cv" else folder
            entries[protocol] = read_audit(folder)
            assert entries[protocol]["audit_steps"] == 2 and len(entries[protocol]["audit_weights_sha256"]) == 64
            assert entries[protocol]["audit_split"] == "sound"
        found = {
            protocol: (entries[protocol]["audit_verdict"], entries[protocol]["audit_context"]) for protocol in entries
        }
        clean = "clean for 2 steps"
        assert found == {
            protocol: ("%s; otherwise %s" % (words, clean) if words else clean, context)
            for protocol, (words, context) in paper.verdicts.items()
        }

        fold = draw_shared(load_scene("synthetic"), "spatial-cv", paper.default_seed, 0)
        for name, pixels in fold._asdict().items():
            assert entries["spatial-cv"]["audit_split_%s_sha256" % name] == index_hash(pixels)

        assert paper.main(["reproduce"] + words) == 0
        record = read_record(tmp_path / paper.slug / "synthetic/paper" / ("seed-%d" % paper.default_seed) / "run.json")
        assert {key: value for key, value in record["audit"].items() if key.startswith("audit_")} == entries["paper"]
        assert record["weights"]["last"] == entries["paper"]["audit_weights_sha256"]
