"""Models by configuration."""

from typing import Any, Dict

from torch import nn

from simplecv.errors import UnknownConfigKeyError
from simplecv.util.registry import MODEL


def make_model(config: Dict[str, Any], strict: bool = False) -> nn.Module:
    """`MODEL[config['type']](config['params'])`, with the weights its configuration names.

    strict: a parameter that the model's defaults do not know is an error.
    Raises: ValueError when the type is not registered; UnknownConfigKeyError.
    """
    model = MODEL.lookup(config["type"])(config["params"])
    unknown = getattr(model, "unknown_config_keys", ())
    if strict and unknown:
        raise UnknownConfigKeyError(
            f"Model '{config['type']}' does not know the parameters {', '.join(unknown)}; "
            f"it knows: {', '.join(sorted(model.config.to_dict().keys() - set(unknown) - {'GLOBAL'}))}."
        )
    if hasattr(model, "init_from_weightfile"):
        model.init_from_weightfile()
    return model
