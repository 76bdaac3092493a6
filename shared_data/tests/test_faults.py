"""What the long tests note, and the table made of it."""

import pytest

from contracts import faults
from shared_data.cli.console import INTERRUPTED, run_command
from shared_data.errors import SharedDataError

pytestmark = pytest.mark.stack_independent


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


def test_the_table_goes_between_the_marks_of_a_document(tmp_path, monkeypatch):
    log, document = tmp_path / "log", tmp_path / "faults.md"
    monkeypatch.setenv("HSI_FAULTS_LOG", str(log))
    faults.note("kill", "ssdgl", 20, r"same \1 bits")
    document.write_text("# Faults\n<!-- faults -->\nold\n<!-- end faults -->\nfoot\n", encoding="utf-8")
    for _ in range(2):
        assert faults.main([str(log), str(document)]) == 0
    head, foot = document.read_text(encoding="utf-8").split(faults.table(log))
    assert head == "# Faults\n<!-- faults -->\n" and foot == "\n<!-- end faults -->\nfoot\n"
    document.write_text("# Faults\n", encoding="utf-8")
    with pytest.raises(SharedDataError, match="no '<!-- faults -->'"):
        faults.main([str(log), str(document)])


def test_ctrl_c_is_one_sentence_and_the_shells_exit_code(capsys):
    def interrupted():
        raise KeyboardInterrupt

    assert run_command(interrupted) == INTERRUPTED == 130
    assert "interrupted" in capsys.readouterr().err
