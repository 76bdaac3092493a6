"""The interface of a learning rate schedule."""

from typing import Any


class LearningRateBase:
    """A schedule. The trainer calls `step` after every optimizer step, before it increments the step counter."""

    def __init__(self, base_lr: float):
        self._base_lr = base_lr

    @property
    def base_lr(self) -> float:
        """The rate the optimizer is constructed with."""
        return self._base_lr

    def step(self, global_step: int, optimizer: Any) -> None:
        """Set the optimizer's rate for the next step."""
        raise NotImplementedError(f"{type(self).__name__} must define step(global_step, optimizer).")


def set_learning_rate(optimizer: Any, lr: float) -> None:
    """The same rate for every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = lr
