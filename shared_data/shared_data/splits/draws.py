"""Sets of training, validation and test pixels, their hashes, and the class-wise draw that several papers use."""

import hashlib
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from shared_data.errors import SplitError
from shared_data.files.atomic import atomic_path
from shared_data.files.npz import read_npz


class Split(NamedTuple):
    """Flat C-order pixel indices (int64) in drawing order; disjoint sets."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def index_hash(indices: np.ndarray) -> str:
    """SHA-256 over the sorted indices as little-endian int64 bytes."""
    return hashlib.sha256(np.sort(np.asarray(indices)).astype("<i8").tobytes()).hexdigest()


def mask_of(pixels: np.ndarray, shape: Tuple[int, ...]) -> np.ndarray:
    """(H, W) bool, true at flat C-order pixel indices."""
    mask = np.zeros(shape, bool)
    mask.ravel()[pixels] = True
    return mask


def training_counts(
    ground_truth: np.ndarray, ratio: float, minimum: int, class_names: Sequence[str] = (), fewest: int = 1
) -> List[int]:
    """Training pixels per class: max(ceil(count·ratio), minimum); ratio 0 takes `minimum` of every class.

    fewest: the least `minimum` that the caller can do with, for a message.
    Raises: SplitError where a class has no pixel, or too few to leave one for the test.
    """
    num_classes = len(class_names) or int(ground_truth.max())
    available = np.bincount(ground_truth.ravel(), minlength=num_classes + 1)[1 : num_classes + 1]
    wanted = np.maximum(np.ceil(available * ratio).astype(int), minimum)
    for label, (has, needs) in enumerate(zip(available, wanted), start=1):
        name = "class %d%s" % (label, " (%s)" % class_names[label - 1] if class_names else "")
        if has == 0:
            raise SplitError(
                "%s has no labelled pixel in the ground truth; the split needs every class. Of an own scene whose "
                "ignore_values take them away, describe it with other values (--ignore=...), or move the class's label "
                "from [[classes]] to labels.unlabelled in the description." % name
            )
        if has <= needs:
            remedy = "Lower split.minimum, or let" if has > fewest else "Let"
            raise SplitError(
                "%s has %d labelled pixels; the split draws %d for training and needs at least one more to test. "
                "%s the class count as unlabelled (of an own scene: move its label from [[classes]] to "
                "labels.unlabelled in the description)." % (name, has, needs, remedy)
            )
    return wanted.tolist()


def draw_per_class(ground_truth: np.ndarray, counts: Sequence[int], seed: int) -> Split:
    """Shuffle each class's pixels in turn with one RandomState(seed); the first counts[c-1] train, the rest test.

    This is the `fixed ratio` and `few-shot` draw of the SSDGL and RSSGL releases (seed 2333).
    """
    random = np.random.RandomState(seed)
    flat = ground_truth.ravel()
    train, test = [], []
    for label, count in enumerate(counts, start=1):
        indices = np.flatnonzero(flat == label)
        random.shuffle(indices)
        train.append(indices[:count])
        test.append(indices[count:])
    return Split(np.concatenate(train), np.zeros(0, np.int64), np.concatenate(test))


def describe(split: Split, ground_truth: np.ndarray, num_classes: int) -> Dict[str, Any]:
    """Sizes, hashes and per-class counts of the three sets, as the run record holds them."""
    flat = ground_truth.ravel()
    return {
        name: {
            "size": int(indices.size),
            "sha256": index_hash(indices),
            "per_class": np.bincount(flat[indices], minlength=num_classes + 1)[1:].tolist(),
        }
        for name, indices in split._asdict().items()
    }


def save_split(path: Any, split: Split) -> None:
    """Write `split.npz` with the int64 arrays train, val and test."""
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **{name: part.astype(np.int64) for name, part in split._asdict().items()})


def load_split(path: Any, pixels: Optional[int] = None) -> Split:
    """Read what `save_split` wrote. pixels: of the scene, where it is known.

    Raises: SplitError naming the file where it cannot be read, or its sets are not disjoint sets of indices below
    `pixels`.
    """
    try:
        stored = read_npz(path)
        split = Split(*[_indices(stored, name) for name in Split._fields])
        _check_pixels(np.concatenate(split), pixels)
        return split
    except ValueError as error:
        raise SplitError("%s cannot be read as a split: %s; run it again with FORCE=1." % (path, error)) from error


def _indices(stored: Dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in stored:
        raise ValueError("expected the sets %s, found no '%s'" % (", ".join(Split._fields), name))
    found = stored[name]
    if found.dtype != np.int64 or found.ndim != 1:
        raise ValueError("expected '%s' to be a list of int64, found %s %s" % (name, found.dtype, found.shape))
    return found


def _check_pixels(indices: np.ndarray, pixels: Optional[int]) -> None:
    if not indices.size:
        return
    if indices.min() < 0:
        raise ValueError("pixel %d is negative" % indices.min())
    if pixels is not None and indices.max() >= pixels:
        raise ValueError("pixel %d lies outside of a scene of %d pixels" % (indices.max(), pixels))
    found, times = np.unique(indices, return_counts=True)
    if found.size != indices.size:
        raise ValueError("pixel %d is in two sets, or twice in one" % found[times > 1][0])
