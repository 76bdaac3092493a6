"""The lines that a run prints at its end."""

import pytest

from shared_data.cli.run_summary import print_summary
from shared_data.runs.request import Outcome

pytestmark = pytest.mark.stack_independent


def lines_of(selection, folder, capsys):
    record = {
        "paper": "toy", "experiment": "plot", "protocol": "paper", "seed": 3,
        "metrics": {"oa": 0.5, "aa": 0.25, "kappa": 0.125}, "split": {"test": {"size": 40}}, "selection": selection,
        "times": {"train_s": 90.0, "step_s": 0.5, "evaluation_s": 2.0}, "memory": {"peak_rss_mb": 512.3},
    }  # fmt: skip
    print_summary(Outcome(folder, record))
    return dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())


def test_what_was_reached_and_what_it_cost(tmp_path, capsys):
    (tmp_path / "map.png").touch()
    lines = lines_of({"step": 7, "on": "nothing: there is one candidate"}, tmp_path, capsys)
    assert lines["toy"] == "plot, protocol paper, seed 3: OA 50.00 %, AA 25.00 %, kappa 0.1250 (40 test pixels)"
    assert lines["time"] == "training 1 min 30 s, 0.5 s a step; prediction of the whole scene 2 s"
    assert lines["memory"] == "at most 512 MB"
    assert lines["maps"] == "%s: map.png" % tmp_path
    assert lines["record"] == str(tmp_path / "run.json")
    assert "curves" not in lines


@pytest.mark.parametrize(
    "selection, told",
    [
        (
            {"step": 600, "on": "nothing: the last step's weights are kept"},
            "of step 600: the last step's weights are kept",
        ),
        (
            {"step": 40, "last_step": 90, "on": "accuracy of 9 val pixels"},
            "of step 40 of 90, chosen on accuracy of 9 val pixels",
        ),
        (
            {"step": 80, "on": "each fold on its own: accuracy of 9 val pixels"},
            "of each fold's own step, 80 at most, chosen on accuracy of 9 val pixels",
        ),
        (
            {"step": 80, "on": "each fold on its own: nothing: the last"},
            "of each fold's own step, 80 at most: the last",
        ),
    ],
)
def test_which_weights_are_used_and_why(selection, told, tmp_path, capsys):
    assert lines_of(selection, tmp_path, capsys)["weights"] == told
