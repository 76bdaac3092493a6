"""Names of devices."""

import pytest

from shared_data.errors import DeviceError
from shared_data.runs.device import gpu_index


@pytest.mark.parametrize("name, gpus, expected", [
    ("auto", 0, None), ("auto", 2, 0), ("cpu", 2, None), ("cuda", 1, 0), ("cuda:1", 2, 1),
])  # fmt: skip
def test_names(name, gpus, expected):
    assert gpu_index(name, "TensorFlow 1.4", lambda: gpus) == expected


def test_the_cpu_wakes_no_gpu():
    assert gpu_index("cpu", "TensorFlow 1.4", None) is None


@pytest.mark.parametrize("name, gpus, expected", [
    ("cuda", 0, "'cuda' was asked for, but TensorFlow 1.4 sees 0 CUDA devices; choose DEVICE=cpu"),
    ("cuda:2", 2, "sees 2 CUDA devices"),
    ("tpu", 2, "unknown device 'tpu'; choose auto, cpu, cuda or cuda:N"),
    ("cuda:first", 2, "unknown device"),
    ("cpu:0", 2, "unknown device"),
])  # fmt: skip
def test_what_there_is_not(name, gpus, expected):
    with pytest.raises(DeviceError, match=expected):
        gpu_index(name, "TensorFlow 1.4", lambda: gpus)
