"""What a fuzzed reader may do: give a value, or refuse in one printable line."""

from typing import Any, Callable

from shared_data.errors import SharedDataError


def value_or_refusal(read: Callable[..., Any], *arguments: Any) -> Any:
    """What `read` gives; None where it refuses. Raises: AssertionError for a refusal of several lines; what else leaves
    `read`."""
    try:
        return read(*arguments)
    except SharedDataError as error:
        message = str(error)
        assert message.isprintable() and len(message) < 2000, message
        return None
