"""The clock of steps on a CUDA device, with events that a test makes."""

import math

import torch

from a2s2k_resnet import device


class Event:
    """Reached when the stream's time is what it was when the event was recorded."""

    now = 0.0

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self, stream):
        assert stream == "stream of cuda:0"
        self.at = Event.now

    def elapsed_time(self, later):
        return later.at - self.at


def test_steps_on_a_gpu_are_timed_by_events_and_read_at_once(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", "stream of {}".format)
    monkeypatch.setattr(device, "wait_for", waited.append)
    clock = device.clock_of(torch.device("cuda:0"))
    for epoch in ([3.0, 5.0], [7.0]):
        for milliseconds in epoch:
            clock.start()
            Event.now += milliseconds
            assert math.isnan(clock.stop())
            Event.now += 100  # between two steps
        assert waited == []
        assert clock.read() == [value / 1000 for value in epoch]
        assert [str(one) for one in waited] == ["cuda:0"]
        waited.clear()


def test_steps_on_a_cpu_are_timed_by_the_host():
    clock = device.clock_of(torch.device("cpu"))
    clock.start()
    assert 0 <= clock.stop() < 60 and clock.read() == []
