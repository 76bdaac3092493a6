"""Quote untrusted text in error messages: one line, printable, of limited length."""

from typing import Any


def one_line(text: Any, longest: int = 200) -> str:
    """`str(text)` with line breaks, control characters and lone surrogates escaped, cut after `longest` characters."""
    text = str(text)
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:longest])
    return shown + "…" if len(text) > longest else shown
