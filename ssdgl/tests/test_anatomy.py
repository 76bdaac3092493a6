"""The example of docs/anatomy.md, as it stands there, works."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "anatomy.md"


@pytest.mark.slow
@pytest.mark.stack_independent
def test_the_library_example_trains_saves_loads_and_prints_an_accuracy(tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out.strip().splitlines()[-1]
    assert 0 < float(printed) < 1
    assert (tmp_path / "out" / "model.pth").stat().st_size > 10**6
