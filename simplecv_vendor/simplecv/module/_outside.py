"""A clear error for imports from the original's model zoo, which this project does not contain."""

import importlib.abc
import sys
from typing import Any

SENTENCE = (
    "'{name}' is outside this project: of simplecv's model zoo (ResNet, HRNet, ASPP, FPN and others) only SEBlock and "
    "GlobalAvgPool2D are provided; write the module in your own project or take it from torchvision."
)


class OutsideFinder(importlib.abc.MetaPathFinder):
    """An import finder after all others, for submodules of `simplecv.module` that none of them finds."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname.startswith("simplecv.module.") and not fullname.rpartition(".")[2].startswith("_"):
            # without `name`: 'from simplecv.module import X' would otherwise hide this message
            raise ModuleNotFoundError(SENTENCE.format(name=fullname))


def install() -> None:
    """Append the finder, once."""
    if not any(isinstance(finder, OutsideFinder) for finder in sys.meta_path):
        sys.meta_path.append(OutsideFinder())
