"""What the long tests note, and the table made of it."""

from shared_data.console import INTERRUPTED, run_command
from shared_data.testing import faults


def test_notes_become_a_table_sorted_by_fault_and_place(tmp_path, monkeypatch, capsys):
    faults.note("kill", "ssdgl", 3, "without a file nothing is written")
    log = tmp_path / "log"
    monkeypatch.setenv("HSI_FAULTS_LOG", str(log))
    faults.note("kill", "ssdgl", 20, "same bits")
    faults.note("kill", "a2s2k", 19, "same bits")
    faults.note("bad data", "shared_data", 500, "refused")
    assert faults.main([str(log)]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| bad data | shared_data | 500 | refused |",
        "| kill | a2s2k | 19 | same bits |",
        "| kill | ssdgl | 20 | same bits |",
    ]


def test_ctrl_c_is_one_sentence_and_the_shells_exit_code(capsys):
    def interrupted():
        raise KeyboardInterrupt

    assert run_command(interrupted) == INTERRUPTED == 130
    assert "interrupted" in capsys.readouterr().err
