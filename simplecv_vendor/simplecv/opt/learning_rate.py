"""Learning rates as functions of the step counter: `poly`, `cosine`, `multistep`."""

import math
from typing import Any, Dict, Optional, Sequence

from simplecv.errors import ConfigError
from simplecv.interface.learning_rate import LearningRateBase, set_learning_rate
from simplecv.util.registry import LR


class ScheduledLearningRate(LearningRateBase):
    """A schedule given by `lr_at(global_step)`."""

    def lr_at(self, global_step: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define lr_at(global_step).")

    def step(self, global_step: int, optimizer: Any) -> None:
        set_learning_rate(optimizer, self.lr_at(global_step))


@LR.register("poly")
class PolyLearningRate(ScheduledLearningRate):
    """base_lr * (1 - step / max_iters) ** power; 0 from max_iters on."""

    def __init__(self, base_lr: float, power: float, max_iters: int):
        super().__init__(base_lr)
        self.power, self.max_iters = power, max_iters

    def lr_at(self, global_step: int) -> float:
        # beyond max_iters the formula would give a complex number
        return self.base_lr * max(0.0, 1 - global_step / self.max_iters) ** self.power


@LR.register("cosine")
class CosineLearningRate(ScheduledLearningRate):
    """Half a cosine from base_lr down to eta_min, which it keeps from max_iters on."""

    def __init__(self, base_lr: float, max_iters: int, eta_min: float = 0.0):
        super().__init__(base_lr)
        self.max_iters, self.eta_min = max_iters, eta_min

    def lr_at(self, global_step: int) -> float:
        done = min(1.0, global_step / self.max_iters)
        return self.eta_min + (self.base_lr - self.eta_min) * (1 + math.cos(math.pi * done)) / 2


@LR.register("multistep")
class MultiStepLearningRate(ScheduledLearningRate):
    """base_lr * gamma ** (number of `steps` passed), after a linear warm-up from warmup_init_lr.

    The rate changes when the counter is above a step; at the step itself it is still the previous rate. The warm-up
    includes warmup_step itself, where it reaches base_lr; 0 means no warm-up.

    Raises: ConfigError when `steps` do not increase, or only one of the two warm-up values is given.
    """

    def __init__(
        self,
        steps: Sequence[int],
        base_lr: float,
        gamma: float = 0.1,
        warmup_step: Optional[int] = None,
        warmup_init_lr: Optional[float] = None,
    ):
        super().__init__(base_lr)
        if list(steps) != sorted(set(steps)):
            raise ConfigError(f"multistep: 'steps' must increase, found {list(steps)}.")
        if (warmup_step is None) != (warmup_init_lr is None):
            raise ConfigError("multistep: warm-up needs both 'warmup_step' and 'warmup_init_lr'.")
        self.steps, self.gamma = tuple(steps), gamma
        self.warmup_step, self.warmup_init_lr = warmup_step, warmup_init_lr

    def lr_at(self, global_step: int) -> float:
        if self.warmup_step and global_step <= self.warmup_step:
            assert self.warmup_init_lr is not None  # given with warmup_step, or neither is
            return self.warmup_init_lr + (self.base_lr - self.warmup_init_lr) * global_step / self.warmup_step
        return self.base_lr * self.gamma ** sum(global_step > step for step in self.steps)


def make_learningrate(config: Dict[str, Any]) -> LearningRateBase:
    """`LR[type](**config['params'])`. Raises: ValueError when the type is not registered."""
    return LR.lookup(config["type"])(**config["params"])
