"""Network parts that scripts use by `import simplecv.module as scm`."""

from typing import Any

from simplecv.module import _outside
from simplecv.module.se_block import GlobalAvgPool2D, SEBlock

__all__ = ["GlobalAvgPool2D", "SEBlock"]

_outside.install()


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    raise AttributeError(_outside.SENTENCE.format(name=f"simplecv.module.{name}"))
