"""The check on a GPU, here with tiny sizes on the CPU, and the CUDA graphs that it compares."""

import pytest

from contracts.gpu_check import CudaGraphs, GpuCheck

pytestmark = pytest.mark.stack_independent


class TestGpuCheck(GpuCheck):
    """One command, its table, and a network with an error."""


class TestCudaGraphs(CudaGraphs):
    """Everything about them that needs no GPU."""
