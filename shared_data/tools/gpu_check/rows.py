"""The rows of the table."""

from typing import Any, Dict, NamedTuple, Optional


class Row(NamedTuple):
    """One finding. subject, result: in words; numbers: the same for programs; passed: None where nothing is asked."""

    subject: str
    result: str
    numbers: Dict[str, Any] = {}
    passed: Optional[bool] = None
