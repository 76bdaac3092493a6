"""What reaches training, protocol by protocol; the first test is shared by all papers."""

import pytest

from contracts.audit import Audit
from contracts.full_scene_runs import SHORT, request_for
from shared_data.audit.run import audit_run

V2021 = SHORT + ("model.params.variant='v2021'",)


class TestAudit(Audit):
    """The findings of an audit under each protocol."""


@pytest.mark.stack_independent
@pytest.mark.slow
def test_the_first_commit_leaks_and_its_paper_protocol_does_not(paper, method, tmp_path):
    """v2021 as released: the one SSDGL whose loss reads the labels of test pixels."""
    found = {}
    for protocol in ("released", "paper"):
        request = request_for(paper, tmp_path / protocol, protocol, iterations=2, overrides=V2021)
        found[protocol] = audit_run(method, request)
    labels = {protocol: entries.findings[0].verdict for protocol, entries in found.items()}
    assert labels == {"released": "uses test labels (training)", "paper": "clean for 2 steps"}
