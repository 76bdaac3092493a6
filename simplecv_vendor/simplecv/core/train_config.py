"""The section `train` of a configuration: its keys, their defaults and their checks."""

import dataclasses
import warnings
from typing import Any, Dict, Optional

from simplecv.errors import ConfigError, UnknownConfigKeyError


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """One field per key. Exactly one of num_iters (optimizer steps) and num_epochs (passes over the loader) is set."""

    num_iters: Optional[int] = None
    num_epochs: Optional[int] = None
    forward_times: int = 1  # batches whose gradients are added up for one step
    eval_per_epoch: bool = False
    eval_interval_epoch: int = 1
    eval_after_train: bool = True
    save_ckpt_interval_epoch: int = 1
    save_ckpt_interval_step: Optional[int] = None
    keep_ckpt: Optional[int] = None  # number of newest checkpoint files to keep; None keeps all
    log_interval_step: int = 1
    tensorboard_interval_step: int = 100
    summary_grads: bool = False
    summary_weights: bool = False
    resume_from_last: bool = True
    distributed: bool = False  # the configuration is meant for ddp_train

    @classmethod
    def from_config(cls, config: Dict[str, Any], strict: bool = False) -> "TrainSettings":
        """Read and check the section.

        Raises: UnknownConfigKeyError on an unknown key when `strict` (else it is warned about); ConfigError when a
        value is unusable, or not exactly one of num_iters and num_epochs is given.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = [str(key) for key in dict.keys(config) if key not in fields]
        if unknown:
            sentence = f"Unknown keys in the section 'train': {', '.join(unknown)}; known: {', '.join(fields)}."
            if strict:
                raise UnknownConfigKeyError(sentence)
            warnings.warn(sentence, stacklevel=3)
        given = {name: config[name] for name in fields if name in config}
        for name, value in given.items():
            _check(name, value, fields[name].default)
        settings = cls(**given)
        if (settings.num_iters is None) == (settings.num_epochs is None):
            raise ConfigError("The section 'train' needs either 'num_iters' or 'num_epochs', exactly one of the two.")
        return settings


def _check(name: str, value: Any, default: Any) -> None:
    """Switches are bools, everything else counts from 1 (None where that is the default)."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ConfigError(f"train.{name} must be True or False, found {value!r}.")
        return
    if value is None and default is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"train.{name} must be a whole number from 1 on, found {value!r}.")
