"""Load a scene: find its files in the data folders, verify them by hash, read them, check them against the
catalogue."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from shared_data.errors import SceneFormatError, SceneNotFoundError, SceneVerificationError
from shared_data.scenes.catalogue import MAPPED_SUFFIX, Scene, SceneFile, get_scene
from shared_data.scenes.checks import check_finite, checked_labels
from shared_data.scenes.content import content_sha256
from shared_data.scenes.mapped import is_mapped, open_mapped
from shared_data.scenes.mat import read_mat
from shared_data.scenes.own import Description, Source
from shared_data.scenes.own_arrays import class_numbers, valid_pixels, with_mean_spectrum

DATA_VARIABLE = "HSI_DATA"
FILE, CONTENT = "file", "content"  # values of `verified_by`

DataFolders = Union[None, str, Path, Sequence[Union[str, Path]]]
_SERVED: List[Tuple["LoadedScene", Callable[[], None]]] = []  # the newest first


class FileEvidence(NamedTuple):
    """The file that was used, with its hashes.

    name: as in the catalogue. path: of the file; its name differs where it is the numpy file of the same values.
    sha256, expected_sha256: of the file, and the catalogue's, None where it knows none.
    verified_by: "file" where these are equal; "content" where the values of the array are the catalogue's; else None.
    content_sha256: of the values, where they were asked for and could be read; None otherwise.
    """

    name: str
    path: str
    sha256: str
    expected_sha256: Optional[str]
    verified_by: Optional[str]
    content_sha256: Optional[str]

    @property
    def verified(self) -> bool:
        """Whether the file holds the catalogue's values."""
        return self.verified_by is not None

    @property
    def identity(self) -> str:
        """The sha256 of the file, or the catalogue's where the same values are written otherwise."""
        return _identity(self._asdict())


class SceneImage(NamedTuple):
    """A scene without its labels: the input of training and prediction.

    scene: the catalogue's entry. cube: (H, W, B), valid: (H, W) bool or None, as in `LoadedScene`.
    """

    scene: Scene
    cube: np.ndarray
    valid: Optional[np.ndarray] = None

    @property
    def shape(self) -> Tuple[int, int]:
        """(H, W)."""
        return self.cube.shape[0], self.cube.shape[1]


class LoadedScene(NamedTuple):
    """A scene ready for use.

    cube: (H, W, B) in the dtype of the file (of the catalogue, where its content is verified, so that no result depends
        on how it is written); the values are the instrument's digital numbers or scaled radiance, not normalised. In
        memory it is column-major; one that is a .npy file in the catalogue stays on disk, memory-mapped.
    ground_truth: (H, W) uint8; 0 is unlabelled, 1..K are the classes of `scene.class_names`.
    files: evidence for cube and ground truth, where there is one; empty for the generated scene.
    verified: every file has the catalogue's hash, of its bytes or its values; False for the generated scene.
    valid: (H, W) bool; False where the description of an own scene ignores the pixel. Such a pixel has the mean
        spectrum of the valid ones, so that no filter or network meets a value that stands for "none", and no label.
        It must not take part in statistics. None where every pixel is valid.
    """

    scene: Scene
    cube: np.ndarray
    ground_truth: np.ndarray
    files: Tuple[FileEvidence, ...]
    verified: bool
    valid: Optional[np.ndarray] = None

    @property
    def image(self) -> SceneImage:
        """The scene without its labels."""
        return SceneImage(self.scene, self.cube, self.valid)

    @property
    def is_labelled(self) -> bool:
        """Whether some pixel has a label."""
        return bool(self.ground_truth.any())


def data_folders(data: DataFolders = None) -> List[Path]:
    """The folders searched for scene files, first to last; they need not exist.

    `data` is a list of folders or one string with folders separated by the system's path separator (':'). Without it
    the environment variable HSI_DATA counts, written the same way; without that, `shared_data/raw` of the checkout.
    """
    if isinstance(data, Path):
        data = [data]
    if data is None or isinstance(data, str):
        data = (data or os.environ.get(DATA_VARIABLE, "")).split(os.pathsep)
    named = [Path(folder).expanduser() for folder in data if str(folder)]
    return named or [_default_folder()]


def load_scene(slug: str, data: DataFolders = None, unverified: bool = False, labelled: bool = True) -> LoadedScene:
    """Load the cube and the ground truth of a scene.

    Each file is searched in `data_folders(data)`, as a MATLAB file and as a numpy file: the first one with the
    catalogue's hash, of its bytes or of its values, wins. With `unverified`, a file that is nowhere to be found with
    that hash is taken from the first folder that holds one of its name. Where no label is needed (`labelled` is False),
    a scene whose labels are all 0, or that has no ground truth in the catalogue, is loaded too.

    Raises: UnknownNameError for a slug that does not exist; SceneNotFoundError when a file is in none of the folders;
    SceneVerificationError when it is there, but not the catalogue's, and `unverified` was not asked for;
    SceneFormatError when its content is not what the catalogue describes (shape, finite values, labels 0..K, pixels of
    every class).
    The files of a registered own scene (`shared_data.scenes.own`) are those of its description, wherever `data` points.
    """
    scene = get_scene(slug)
    for given, on_load in _SERVED:
        if given.scene.slug == slug:
            on_load()
            return given
    if scene.access == "generated":
        return _generated(scene)
    if scene.ground_truth is None and labelled:
        raise SceneFormatError(
            f"{scene.slug}: the {'description' if scene.own else 'catalogue'} has no ground truth for this scene, so "
            "it can only be classified with the weights of another one; use 'predict'."
        )
    if scene.own is not None:
        return _load_own(scene, unverified, labelled)
    files = [file for file in (scene.cube, scene.ground_truth) if file is not None]
    evidence = tuple(_locate(scene, file, data_folders(data), unverified) for file in files)
    size = (scene.height, scene.width)
    ground_truth = np.zeros(size, np.uint8)
    if scene.ground_truth is not None:
        # the small ground truth first: it reveals most errors before the cube is in memory
        ground_truth = read_array(scene.ground_truth, evidence[1], size)
        ground_truth = checked_labels(ground_truth, scene, evidence[1].path, labelled)
    assert scene.cube is not None  # the catalogue demands it of a measured scene
    cube = read_array(scene.cube, evidence[0], size + (scene.bands,))
    check_finite(cube, evidence[0].path)
    return LoadedScene(scene, cube, ground_truth, evidence, all(file.verified for file in evidence))


@contextlib.contextmanager
def serving(given: LoadedScene, on_load: Callable[[], None]) -> Iterator[None]:
    """Inside, `load_scene` gives this scene in place of the one in the files, and calls `on_load` before."""
    _SERVED.insert(0, (given, on_load))
    try:
        yield
    finally:
        del _SERVED[0]


def verify_scene(slug: str, data: DataFolders = None) -> List[FileEvidence]:
    """Hash the files of a scene (their values where the bytes differ); files that fail verification are included.

    The generated scene has no files and gives an empty list.

    Raises: UnknownNameError for a slug that does not exist; SceneNotFoundError when a file is in none of the folders.
    """
    scene = get_scene(slug)
    if scene.own is not None:
        return list(_own_evidence(scene, unverified=True))
    files = [file for file in (scene.cube, scene.ground_truth) if file is not None]
    return [_locate(scene, file, data_folders(data), unverified=True) for file in files]


def data_identities(record: Dict[str, Any]) -> Dict[str, str]:
    """`FileEvidence.identity` of the files that a recorded run loaded, by the catalogue's name."""
    return {file["name"]: _identity(file) for file in record["data"]}


def _identity(file: Mapping[str, Any]) -> str:
    if file.get("verified_by") != CONTENT:
        return file["sha256"]
    return file["expected_sha256"] or file["content_sha256"]


def file_sha256(path: Union[str, Path]) -> str:
    """SHA-256 of a file as 64 hexadecimal digits, in constant memory. Raises: OSError."""
    digest = hashlib.sha256()
    with open(str(path), "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _default_folder() -> Path:
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "setup.cfg").is_file():
        return checkout / "raw"
    return Path("shared_data") / "raw"  # installed elsewhere: relative to the repository's root


def _generated(scene: Scene) -> LoadedScene:
    from shared_data.scenes.synthetic import generate  # imported only for the generated scene

    cube, ground_truth = generate()
    place = f"the generated scene '{scene.slug}'"
    expected = (scene.height, scene.width, scene.bands)
    if cube.shape != expected or ground_truth.shape != expected[:2]:
        raise SceneFormatError(
            f"{place}: expected a cube of shape {expected}, found {cube.shape} with labels of {ground_truth.shape}."
        )
    return LoadedScene(scene, cube, checked_labels(ground_truth, scene, place), (), False)


def _load_own(scene: Scene, unverified: bool = False, labelled: bool = True) -> LoadedScene:
    """The files of a registered own scene; `load_scene` says the same of all scenes.

    A cube in a .npy file stays there, memory-mapped; where some of its pixels are not valid, in a temporary copy.
    Raises: as `load_scene`.
    """
    evidence = _own_evidence(scene, unverified)
    own, size = scene.own, (scene.height, scene.width)
    ground_truth = np.zeros(size, np.uint8)
    if scene.ground_truth is not None:
        # the small ground truth first: it reveals most errors before the cube is in memory
        ground_truth = class_numbers(read_array(scene.ground_truth, evidence[1], size), scene, evidence[1].path)
    assert scene.cube is not None  # every description has one
    path = evidence[0].path
    cube = read_array(scene.cube, evidence[0], size + (scene.bands,))
    valid = valid_pixels(cube, own.ignore_values)
    check_finite(cube, path, valid)
    if valid is not None:
        if not valid.any():
            raise SceneFormatError("%s: every pixel has one of the ignore_values of %s." % (path, own.path))
        ground_truth[~valid] = 0
        cube = with_mean_spectrum(cube, valid)
    if labelled and not ground_truth.any():
        raise SceneFormatError("%s: the ignore_values leave no labelled pixel of %s." % (own.path, scene.slug))
    return LoadedScene(scene, cube, ground_truth, evidence, all(file.verified for file in evidence), valid)


def _own_evidence(scene: Scene, unverified: bool = False) -> Tuple[FileEvidence, ...]:
    """`FileEvidence` for the cube and, where there is one, the ground truth, hashed.

    Raises: SceneNotFoundError; SceneVerificationError where a file, or the file it was made from, has changed since
    it was described, and `unverified` was not asked for.
    """
    own: Description = scene.own
    pairs = [(scene.cube, own.cube), (scene.ground_truth, own.ground_truth)]
    found = tuple(_described_evidence(file, path) for file, path in pairs if file is not None and path is not None)
    changed = [Path(file.path) for file in found if not file.verified] + _changed_sources(own.sources)
    if changed and not unverified:
        raise SceneVerificationError(
            "%s: %s has changed since %s was written; describe it again, or set UNVERIFIED=1 or pass --unverified to "
            "use it all the same, marked as unverified." % (scene.slug, changed[0], own.path)
        )
    if changed:  # a changed source makes the copies doubtful, too
        found = tuple(file._replace(verified_by=None) for file in found)
    return found


def _described_evidence(file: SceneFile, path: Path) -> FileEvidence:
    """Raises: SceneNotFoundError where the file is not there or cannot be read."""
    assert file.content is not None  # every description has it
    try:
        sha256 = file_sha256(path)
    except OSError as error:
        raise SceneNotFoundError(
            "%s: the file of an own scene cannot be read (%s); correct its path in the description, or describe it "
            "again." % (path, error.strerror or error)
        ) from error
    content = file_content_sha256(file, path)
    verified_by = CONTENT if content == file.content.sha256 else None
    return FileEvidence(file.name, str(path), sha256, None, verified_by, content)


def _changed_sources(sources: Sequence[Source]) -> List[Path]:
    """Those that are still there with another hash."""
    return [each.path for each in sources if each.path.is_file() and file_sha256(each.path) != each.sha256]


def _locate(scene: Scene, file: SceneFile, folders: List[Path], unverified: bool) -> FileEvidence:
    found = []
    for evidence in candidates(file, folders):
        if evidence.verified:
            return evidence
        found.append(evidence)
    if not found:
        raise _not_found(scene, file, folders)
    if not unverified:
        raise _not_verified(scene, file, found[0])
    return found[0]


def candidates(file: SceneFile, folders: Iterable[Path]) -> Iterator[FileEvidence]:
    """Evidence for every file of that name, in the order of the folders."""
    for folder in folders:
        for name in file.names:
            try:
                yield _examine(file, folder / name)
            except OSError:  # absent or unreadable (see _not_found): try the next folder
                continue


def _examine(file: SceneFile, path: Path) -> FileEvidence:
    sha256 = file_sha256(path)
    verified_by = FILE if sha256 == file.sha256 else None
    content: Optional[str] = None
    if not verified_by and file.content:
        content = file_content_sha256(file, path)
        verified_by = CONTENT if content == file.content.sha256 else None
    return FileEvidence(file.name, str(path), sha256, file.sha256, verified_by, content)


def file_content_sha256(file: SceneFile, path: Union[str, Path]) -> Optional[str]:
    """The hash of the values in a file whose `content` the catalogue knows (`content_sha256` says how).

    None where the file cannot be read as an array of that shape, or the dtype cannot hold its values.
    """
    assert file.content is not None
    try:
        return content_sha256(_stored_array(file, path, file.content.shape), file.content.dtype)
    except SceneFormatError:
        return None


def read_array(file: SceneFile, found: FileEvidence, shape: Tuple[int, ...]) -> np.ndarray:
    """The array of a scene file. Raises: SceneFormatError where it is not an array of real numbers of that shape."""
    array = _stored_array(file, found.path, shape, any_order=not file.is_mapped)
    if file.is_mapped:
        return array
    content = file.content if found.verified_by == CONTENT else None
    dtype = np.dtype(content.dtype) if content else array.dtype.newbyteorder("=")
    if is_mapped(array):
        return np.array(array, dtype, order="F")
    return array.astype(dtype, order="F", copy=False)


def _stored_array(
    file: SceneFile, path: Union[str, Path], shape: Tuple[int, ...], any_order: bool = True
) -> np.ndarray:
    if str(path).endswith(MAPPED_SUFFIX):
        return open_mapped(path, shape, any_order)
    assert file.key is not None  # the catalogue demands it of a .mat file
    return read_mat(path, file.key, shape)


def _not_found(scene: Scene, file: SceneFile, folders: List[Path]) -> SceneNotFoundError:
    looked_at = ", ".join(str(folder) + _remark(folder, file.name) for folder in folders)
    expected = f" (sha256 {file.sha256})" if file.sha256 else ""
    return SceneNotFoundError(f"{scene.slug}: {file.name}{expected} not found in {looked_at}. {scene.how_to_get}")


def _remark(folder: Path, name: str) -> str:
    if not os.path.isdir(str(folder)):
        return " (no such folder)"
    return " (there, but it cannot be read)" if os.path.lexists(str(folder / name)) else ""


def _not_verified(scene: Scene, file: SceneFile, found: FileEvidence) -> SceneVerificationError:
    allow = "set UNVERIFIED=1 or pass --unverified to use it all the same, marked as unverified"
    if found.expected_sha256 is None:
        problem = f"cannot be verified, because the catalogue knows no hash for it (found sha256 {found.sha256})"
        remedy = allow
    else:
        expected = file.content and file.content.sha256
        values = f" (of its values {found.content_sha256}, not {expected})" if found.content_sha256 else ""
        problem = f"is not the catalogue's file: expected sha256 {found.expected_sha256}, found {found.sha256}{values}"
        remedy = f"move it away and run 'make data-{scene.slug}', or {allow}"
    return SceneVerificationError(f"{scene.slug}: {found.path} {problem}; {remedy}.")
