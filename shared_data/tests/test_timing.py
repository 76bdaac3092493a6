"""The sides of a benchmark take turns, after a warm-up, until turns or minutes are over; a short `fit` is timed."""

import time

import pytest
import zoo

from shared_data.errors import SettingsError
from shared_data.runs.request import Request
from shared_data.runs.timed_fit import time_fit
from shared_data.timing import load_literal, medians, seconds, table_row


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


def test_a_timed_training_has_the_steps_asked_for_and_trains_on_a_protocols_pixels_alone(tmp_path, monkeypatch):
    given = {}

    class Slow(zoo.Honest):
        def statistics(self, image, labels):
            time.sleep(0.05)
            return super().statistics(image, labels)

    method = zoo.method_of(Slow())
    original = method.fit

    def fit(image, labels, *rest, **limit):
        given.update(limit, labelled=int((labels.train > 0).sum()))
        return original(image, labels, *rest, **limit)

    monkeypatch.chdir(tmp_path)
    request = Request("corner", "paper", 1, None, False, "cpu", 7, (), tmp_path / "results", False)
    timed = time_fit(method._replace(fit=fit), request)
    assert given["steps"] == timed.trained == 7 and 0 < given["labelled"] < 48 * 48 // 4
    assert timed.fit >= 0.05 and timed.steps == pytest.approx(0.007) and timed.predict > 0
    assert list(tmp_path.iterdir()) == []  # it leaves nothing behind


def test_a_row_of_the_table_tells_ratio_work_and_share_of_the_peak():
    steps = {"literal": 3.0, "ours": 0.5}
    assert table_row("one", steps) == "| one | 3.0000 s | 0.5000 s | 6.00 | – | – |"
    assert table_row("two", steps, 2e9, 1e10) == "| two | 3.0000 s | 0.5000 s | 6.00 | 2 | 40 % |"
