"""What reaches training, protocol by protocol; the first test is shared by all papers."""

from contracts.audit import *  # noqa: F403
from contracts.full_scene_runs import SHORT, request_for
from ssdgl.train import audit

V2021 = SHORT + ("model.params.variant='v2021'",)


def test_the_first_commit_leaks_and_its_paper_protocol_does_not(paper, tmp_path):
    """v2021 as released: the one SSDGL whose loss reads the labels of test pixels."""
    found = {}
    for protocol in ("released", "paper"):
        request = request_for(paper, tmp_path / protocol, protocol, iterations=2, overrides=V2021)
        found[protocol] = audit(request)
    labels = {protocol: entries.findings[0].verdict for protocol, entries in found.items()}
    assert labels == {"released": "leaks", "paper": "clean"}
