"""An own implementation of the training framework whose import name is `simplecv`.

The import paths and names are those that scripts written for Z-Zheng's SimpleCV rely on; `__vendored__` names the
distribution, so that a program can tell this package from the unrelated `simplecv` of the package index.
"""

from simplecv._vendored import DISTRIBUTION as __vendored__

__all__ = ["__vendored__"]
