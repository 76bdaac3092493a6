"""The sides of a benchmark take turns, after a warm-up, until the turns or the minutes are over."""

import time

import pytest

from shared_data.errors import SettingsError
from shared_data.timing import load_literal, medians, seconds


def test_sides_take_turns_and_their_medians_leave_out_the_warm_up():
    calls, answers = [], {"slow": iter([99.0, 3.0, 9.0, 4.0]), "fast": iter([99.0, 2.0, 1.0, 1.0])}

    def side(name):
        return lambda: calls.append(name) or next(answers[name])

    assert medians({name: side(name) for name in answers}, repeats=3) == ({"slow": 4.0, "fast": 1.0}, 3)
    assert calls == ["slow", "fast"] * 4


def test_when_the_minutes_are_over_one_turn_was_made():
    assert medians({"one": lambda: 5.0}, repeats=9, minutes=0) == ({"one": 5.0}, 1)


def test_seconds_wait_for_the_device_before_and_afterwards():
    order = []
    taken = seconds(lambda: order.append("action") or time.sleep(0.01), lambda: order.append("wait"))
    assert order == ["wait", "action", "wait"] and taken == pytest.approx(0.01, abs=0.5) and taken >= 0.01


def test_a_literal_network_is_loaded_by_path_and_missed_outside_a_checkout(tmp_path):
    (tmp_path / "some_literal.py").write_text("answer = 42\n")
    assert load_literal(tmp_path / "some_literal.py").answer == 42
    with pytest.raises(SettingsError, match=r"other_literal\.py does not exist; run the benchmark in a checkout"):
        load_literal(tmp_path / "other_literal.py")
