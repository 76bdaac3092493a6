"""Is the `simplecv` that Python would import ours? Importable whatever else carries that name.

The package index has an unrelated computer-vision package called `simplecv`. Where it comes first on the path, an
import fails somewhere deep inside it; `require_vendored` says so in one sentence, and never executes the other package.
"""

import importlib.util
import sys
from pathlib import Path

SENTENCE = (
    "The package 'simplecv' found at {found} is not this project's: an unrelated package of the same name hides it; "
    "run 'pip uninstall simplecv' and install the folder simplecv_vendor, or put that folder first on PYTHONPATH."
)


def require_vendored() -> None:
    """Return silently where `import simplecv` means this project's package.

    Raises: ImportError (one sentence) where another package, or none, answers to the name.
    """
    loaded = sys.modules.get("simplecv")
    if loaded is not None:
        if not hasattr(loaded, "__vendored__"):
            raise ImportError(SENTENCE.format(found=getattr(loaded, "__file__", None) or "an unknown place"))
        return
    spec = importlib.util.find_spec("simplecv")
    if spec is None:
        raise ImportError(
            "The package 'simplecv' is not installed: install the folder simplecv_vendor of this project "
            "(the 'simplecv' of the package index is an unrelated package)."
        )
    folders = list(spec.submodule_search_locations or [])
    if not any((Path(folder) / "_vendored.py").is_file() for folder in folders):
        raise ImportError(SENTENCE.format(found=spec.origin or ", ".join(folders)))
