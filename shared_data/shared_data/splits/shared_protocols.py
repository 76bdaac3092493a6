"""The protocols that all methods share: they hide test labels, and every method gets the same pixels.

The caller of a method draws these pixels; a paper's own protocols, such as `released` and `paper`, draw their own.
`spatial-cv` is the one to compare methods by. Its variants have another distance, or replace the spectra of test pixels
while a method trains. `disjoint` is a stress test. `fixed-<name>` and `own-<name>` read their pixels from files.
"""

import re
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence

import numpy as np

from shared_data.configuration.overrides import check_name
from shared_data.errors import SettingsError
from shared_data.scenes.loading import DataFolders, LoadedScene, SceneImage
from shared_data.splits.disjoint import DisjointRule, common_split
from shared_data.splits.draws import Split
from shared_data.splits.fixed import fixed_splits, read_fixed
from shared_data.splits.given import FixedSplit
from shared_data.splits.own import read_own
from shared_data.splits.spatial import FOLDS, SpatialRule, draw_fold

UNDER_SHARED = "shared"  # key of a paper's decisions under every shared protocol
_FROM_FILES = ("fixed-", "own-")


class SharedProtocol(NamedTuple):
    """draw(loaded, seed, fold): the pixels. folds: of the cross-validation, 0 without one. masked: whether test pixels
    have the mean training spectrum while a method trains. rule: the parameters of the draw. title: in a few words."""

    draw: Callable[[LoadedScene, int, int], Split]
    folds: int
    masked: bool
    rule: Dict[str, Any]
    title: str


def _draw_spatial(distance: int, loaded: LoadedScene, seed: int, fold: int) -> Split:
    return draw_fold(loaded.ground_truth, SpatialRule(distance), seed, fold)


def _spatial(distance: int, title: str, masked: bool = False) -> SharedProtocol:
    rule = dict(SpatialRule(distance)._asdict(), folds=FOLDS)
    return SharedProtocol(partial(_draw_spatial, distance), FOLDS, masked, rule, title)


SHARED: Dict[str, SharedProtocol] = {
    "spatial-cv": _spatial(6, "5 folds of whole fields; training pixels farther than 6 from the tested ones"),
    "spatial-cv-d3": _spatial(3, "the same, farther than 3"),
    "spatial-cv-d13": _spatial(13, "the same, farther than 13"),
    "spatial-cv-masked": _spatial(6, "the same, farther than 6; training does not see spectra of test pixels", True),
    "disjoint": SharedProtocol(
        lambda loaded, seed, _fold: common_split(loaded, seed), 0, False, dict(DisjointRule()._asdict()),
        "a stress test: blocks of training pixels, test pixels farther than 13 from them",
    ),
}  # fmt: skip
MAIN = "spatial-cv"


def is_shared(protocol: str) -> bool:
    """Whether the caller of a method draws the pixels of this protocol."""
    return protocol in SHARED or is_from_files(protocol)


def is_from_files(protocol: str) -> bool:
    """Whether the pixels of this protocol are read from files."""
    return protocol == "own" or protocol.startswith(_FROM_FILES)


def protocol_of_files(protocol: str, files: Sequence[str]) -> str:
    """The protocol that a user asked for: with files of an own split, `own` becomes own-<name of the first file>.

    Raises: SettingsError where there are files without `own`, or `own` without files.
    """
    if (protocol == "own") != bool(files):
        found = "protocol %s and %s" % (protocol, "the file %s" % files[0] if files else "no file")
        raise SettingsError("an own split needs PROTOCOL=own and SPLIT=file[,file]; found the %s." % found)
    if not files:
        return protocol
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(files[0]).stem).strip("-_")
    return "own-" + (name or "split")


def folds_of(protocol: str) -> List[int]:
    """The folds of a cross-validation; none where the protocol is of another kind."""
    return list(range(SHARED[protocol].folds)) if protocol in SHARED else []


def rule_of(protocol: str) -> Optional[Dict[str, Any]]:
    """The parameters of a shared protocol's draw; None under the others, and where pixels are read from files."""
    return SHARED[protocol].rule if protocol in SHARED else None


def masks_test_spectra(protocol: str) -> bool:
    """Whether a method trains without the spectra of test pixels."""
    return protocol in SHARED and SHARED[protocol].masked


def check_fold(protocol: str, fold: Optional[int]) -> None:
    """Raises: SettingsError where a cross-validation lacks one of its folds, or another protocol has one."""
    folds = folds_of(protocol)
    if fold is None and folds:
        raise SettingsError("the protocol %s has the folds 0 to %d; name one with --fold." % (protocol, folds[-1]))
    if fold is not None and fold not in folds:
        there_are = "its folds are 0 to %d" % folds[-1] if folds else "it has no folds"
        raise SettingsError("there is no fold %d under the protocol %s: %s." % (fold, protocol, there_are))


def read_from_files(
    loaded: LoadedScene, protocol: str, seed: int, files: Sequence[str], data: DataFolders
) -> FixedSplit:
    """The pixels of a protocol that reads them from files. files: of an own split. data: folders of a fixed one.

    Raises: what `read_fixed` and `read_own` raise.
    """
    return read_fixed(loaded, protocol, seed, data) if protocol.startswith("fixed-") else read_own(loaded, files, seed)


def draw_shared(loaded: LoadedScene, protocol: str, seed: int, fold: Optional[int]) -> Split:
    """The pixels of a scene under a protocol of `SHARED`. Raises: SettingsError, as `check_fold`; SplitError."""
    check_fold(protocol, fold)
    return SHARED[protocol].draw(loaded, seed, fold or 0)


def decisions_key(protocol: str, own: Iterable[str]) -> str:
    """The key of a paper's decisions under a protocol: an own one's name, or `shared` for all shared ones.

    Raises: UnknownNameError listing what there is.
    """
    if is_shared(protocol):
        return UNDER_SHARED
    check_name("protocol", protocol, protocols_of(own))
    return protocol


def protocols_of(own: Iterable[str]) -> List[str]:
    """The names of all protocols of a paper, in the order of a reader's interest. own: keys of its decisions.

    `own` stands for every own split.
    """
    return [name for name in own if name != UNDER_SHARED] + list(SHARED) + list(fixed_splits()) + ["own"]


def mask_spectra(image: SceneImage, split: Split) -> SceneImage:
    """A copy of an image whose test pixels have the mean spectrum of the training pixels, in the cube's dtype."""
    cube = np.array(image.cube, order="K")
    width = cube.shape[1]
    rows, columns = np.divmod(split.train, width)
    mean = cube[rows, columns].mean(axis=0, dtype=np.float64)
    if np.issubdtype(cube.dtype, np.integer):
        mean = np.rint(mean)
    rows, columns = np.divmod(split.test, width)
    cube[rows, columns] = mean.astype(cube.dtype)
    return image._replace(cube=cube)
