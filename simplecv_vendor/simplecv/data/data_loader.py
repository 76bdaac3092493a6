"""Data loaders by configuration."""

from typing import Any, Dict

from simplecv.util.registry import DATALOADER


def make_dataloader(config: Dict[str, Any]) -> Any:
    """`DATALOADER[config['type']](config['params'])`. Raises: ValueError when the type is not registered."""
    return DATALOADER.lookup(config["type"])(config["params"])
