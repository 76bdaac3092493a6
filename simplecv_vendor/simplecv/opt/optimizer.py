"""Optimizers by configuration: `sgd` and `adam` of PyTorch are registered."""

from typing import Any, Dict, Iterable, Optional

from torch import optim

from simplecv.util.registry import OPT

OPT.register("sgd", optim.SGD)
OPT.register("adam", optim.Adam)

DEFAULT_GRAD_CLIP = {"max_norm": 35, "norm_type": 2}


def make_optimizer(config: Dict[str, Any], params: Iterable[Any]) -> optim.Optimizer:
    """`OPT[type](params, **config['params'])`, with the configuration kept as `simplecv_config`.

    `config['grad_clip']`: dict(max_norm, norm_type), None for no clipping; absent means 35 and 2.
    Raises: ValueError when the type is not registered.
    """
    optimizer = OPT.lookup(config["type"])(params, **config["params"])
    optimizer.simplecv_config = config
    optimizer.simplecv_grad_clip = _grad_clip(config)
    return optimizer


def grad_clip_of(optimizer: optim.Optimizer) -> Optional[Dict[str, float]]:
    """Arguments of `clip_grad_norm_` for this optimizer, or None for no clipping."""
    return getattr(optimizer, "simplecv_grad_clip", DEFAULT_GRAD_CLIP)


def _grad_clip(config: Dict[str, Any]) -> Optional[Dict[str, float]]:
    given = config.get("grad_clip", DEFAULT_GRAD_CLIP)
    return None if given is None else dict(DEFAULT_GRAD_CLIP, **given)
