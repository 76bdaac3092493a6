"""Of all folders with tests, those whose packages this environment has; `pytest` here runs in any of them."""

import importlib
import importlib.util
import sys
from pathlib import Path

# folder: modules that its tests need. `hypothesis` is installed where shared_data is tested as a whole
NEEDED = {
    "shared_data": ("shared_data",),
    "docker": ("shared_data",),
    "simplecv_vendor": ("simplecv", "torch"),
    "ssdgl": ("ssdgl", "torch"),
    "rssgl": ("rssgl", "torch"),
    "a2s2k_resnet": ("a2s2k_resnet", "torch"),
    "da_imrn": ("da_imrn", "tensorflow"),
    "apdclnn": ("apdclnn", "tensorflow"),
}


def is_installed(module):
    """Whether a module can be imported; a folder of the same name beside this file is none."""
    found = importlib.util.find_spec(module)
    return found is not None and found.has_location


collect_ignore = [folder for folder, modules in NEEDED.items() if not all(map(is_installed, modules))]

for folder in set(NEEDED) - set(collect_ignore):
    # before pytest names a test `ssdgl.tests.test_cli`, for which it would make a package `ssdgl` of its own
    importlib.import_module(NEEDED[folder][0])
    sys.path.insert(0, str(Path(__file__).resolve().parent / folder / "tests"))
