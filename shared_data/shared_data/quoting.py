"""What an untrusted file holds, made fit to stand in an error: one line, printable, not too long."""

from typing import Any


def one_line(text: Any, longest: int = 200) -> str:
    """`str(text)` without line breaks, control characters and half characters, cut after `longest` characters."""
    text = str(text)
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:longest])
    return shown + "…" if len(text) > longest else shown
