"""What a configuration may hold: `config.schema.json`."""

from pathlib import Path
from typing import Any, Dict

from shared_data.catalogue import get_scene
from shared_data.config_schema import check_config, load_schema

SCHEMA = load_schema(Path(__file__).with_name("config.schema.json"))


def check(config: Dict[str, Any], file: str) -> None:
    """Compare a configuration with the schema. file: its name, for messages.

    Raises: UnknownNameError for an unknown scene, key or name; SettingsError for a value that cannot be.
    """
    check_config(config, SCHEMA, file)
    get_scene(config["scene"])
