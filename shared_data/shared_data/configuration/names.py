"""Names of scenes and configurations. They become folders, keys of records and targets of make."""

import re

NAME = "^[A-Za-z0-9][A-Za-z0-9_-]*$"  # as in record.schema.json
RULE = "letters, digits, '-' and '_', with a letter or a digit first"


def is_name(text: str) -> bool:
    """Whether a scene or a configuration may have this name."""
    return "\n" not in text and re.match(NAME, text) is not None
