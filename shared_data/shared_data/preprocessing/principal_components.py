"""Principal components of the spectra, each with zero mean and unit standard deviation, by scikit-learn.

With all components kept this is a rotation and a scaling (whitening): no information is lost. The caller chooses the
pixels on which mean, axes and scale are fitted: the whole scene, as in the release, or the training pixels alone.
"""

from typing import Any, Iterator, Optional, Tuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils.extmath import randomized_svd

from shared_data.scenes.mapped import is_mapped, storage_like

_CHUNK = 16384  # pixels converted to float64 at a time
_NO_VARIANCE = 1e-13  # a component below this share of the largest variance is rounding noise


class Whitening:
    """The fitted transformation: y = (x − mean)·axes, so that y has unit variance over the fitted pixels.

    mean: (B) float64; axes: (B, C) float64, a principal axis divided by its component's standard deviation per
    column, by falling variance, its sign as `fit` says. The axis of a component without variance (for example with
    fewer fitted pixels than bands) is zero, and so is the component.
    """

    def __init__(self, mean: np.ndarray, axes: np.ndarray) -> None:
        self.mean, self.axes = mean, axes

    def apply(self, cube: np.ndarray) -> np.ndarray:
        """(H, W, B) numbers to (H, W, C) float32, a chunk of pixels at a time; memory-mapped where the cube is."""
        height, width, _ = cube.shape
        result = storage_like(cube, (height * width, self.axes.shape[1]), np.float32)
        for start, spectra in _chunks(cube):
            result[start : start + len(spectra)] = (spectra - self.mean).dot(self.axes)
        return result.reshape(height, width, -1)


def _chunks(cube: np.ndarray, valid: Optional[np.ndarray] = None) -> Iterator[Tuple[int, np.ndarray]]:
    """Pairs of a position and the next (n, B) float64 spectra. valid: (H, W) bool, the pixels to take; None for all."""
    height, width, _ = cube.shape
    for start in range(0, height * width, _CHUNK):
        rows, columns = np.divmod(np.arange(start, min(start + _CHUNK, height * width)), width)
        if valid is not None:
            kept = valid[rows, columns]
            rows, columns = rows[kept], columns[kept]
        yield start, cube[rows, columns].astype(np.float64)


def check_components(bands: int, components: int) -> None:
    """Raises: ValueError where a scene does not have so many principal components."""
    if not 1 <= components <= bands:
        raise ValueError("a scene of %d bands has 1 to %d components, not %d" % (bands, bands, components))


def fit(
    cube: np.ndarray,
    pixels: Optional[np.ndarray] = None,
    components: Optional[int] = None,
    seed: Optional[int] = None,
    valid: Optional[np.ndarray] = None,
    signs: str = "axes",
) -> Whitening:
    """Principal components by falling variance, from the spectra of `pixels`.

    cube: (H, W, B) numbers; pixels: flat C-order indices, None for the whole scene; components: C, None for all B.
    valid: (H, W) bool, the pixels that the whole scene consists of; None for all.
    seed: None for the full singular value decomposition; a number for scikit-learn's randomised one, which finds the
    first C axes nearly, with the random numbers of RandomState(seed).
    signs: of the axes, whatever convention the installed scikit-learn follows. `axes`: the entry of an axis that is
    largest in magnitude is positive. `scores`: the value of a component that is largest in magnitude over the fitted
    pixels is positive, as in scikit-learn before 1.5.
    Memory while it runs, beside the cube: the n fitted spectra as float64 and the left factor of their singular value
    decomposition, 2·n·B·8 bytes; 0.35 GB for the whole University of Pavia. The whole of a memory-mapped cube is read
    twice instead, a chunk at a time. `scores` read the fitted pixels once more, by chunks.
    Raises: ValueError for fewer than two pixels, an impossible number of components, or other signs.
    """
    height, width, bands = cube.shape
    components = bands if components is None else components
    check_components(bands, components)
    if signs not in ("axes", "scores"):
        raise ValueError("unknown signs '%s'; there are: axes, scores" % signs)
    whole = height * width if valid is None else np.count_nonzero(valid)
    count = whole if pixels is None else len(pixels)
    if count < 2:
        raise ValueError("principal components need at least two pixels, not %d" % count)
    if pixels is None and is_mapped(cube):
        mean, centred = _by_chunks(cube, valid)
        if seed is None:
            _, singular, principal = np.linalg.svd(centred, full_matrices=False)
            variance = singular[:components] ** 2 / count
    else:
        spectra = cube.reshape(-1, bands)
        if pixels is not None:
            spectra = spectra[pixels]
        elif valid is not None:
            spectra = spectra[valid.ravel()]
        spectra = spectra.astype(np.float64)
        if seed is None:
            found = PCA(n_components=min(components, count), svd_solver="full", copy=False).fit(spectra)
            variance = found.explained_variance_ * (count - 1) / count  # population variance (ddof 0)
            mean, principal = found.mean_, found.components_
        else:
            mean, centred = spectra.mean(axis=0), spectra
            centred -= mean
    if seed is not None:
        _, _, principal = randomized_svd(centred, min(components, count), random_state=np.random.RandomState(seed))
        variance = (centred.dot(principal.T) ** 2).sum(axis=0) / count
    varies = variance > _NO_VARIANCE * max(variance[0], np.finfo(float).tiny)
    axes = np.zeros((bands, components))
    for index in np.flatnonzero(varies):
        axis = principal[index]
        axes[:, index] = axis * np.sign(axis[np.abs(axis).argmax()]) / np.sqrt(variance[index])
    if signs == "scores":
        fitted = valid if pixels is None else _mask_of(pixels, (height, width))
        axes *= np.sign(_largest_values(cube, fitted, mean, axes))
    return Whitening(mean, axes)


def _mask_of(pixels: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask.ravel()[pixels] = True
    return mask


def _largest_values(cube: np.ndarray, fitted: Optional[np.ndarray], mean: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(C) the value of every component that is largest in magnitude over the fitted pixels, the first of equal ones."""
    largest = np.zeros(axes.shape[1])
    for _, spectra in _chunks(cube, fitted):
        values = np.concatenate([largest[None], (spectra - mean).dot(axes)])
        largest = values[np.abs(values).argmax(axis=0), np.arange(axes.shape[1])]
    return largest


def _by_chunks(cube: np.ndarray, valid: Optional[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Mean (B) of all valid spectra and the triangle R (B, B) of the centred spectra X = Q·R, in the memory of a chunk.

    R = U·S·V: S and V are those of X, and as exact as those of its own decomposition, full or randomised. The
    covariance X'·X would square the singular values, and lose the small ones to rounding.
    """
    height, width, bands = cube.shape
    count = height * width if valid is None else np.count_nonzero(valid)
    mean = sum(spectra.sum(axis=0) for _, spectra in _chunks(cube, valid)) / count
    triangle: Any = np.empty((0, bands))  # numpy's type hints declare a pair as the result of qr in every mode
    for _, spectra in _chunks(cube, valid):
        triangle = np.linalg.qr(np.concatenate([triangle, spectra - mean]), mode="r")
    return mean, triangle


def whiten(
    cube: np.ndarray,
    pixels: Optional[np.ndarray] = None,
    components: Optional[int] = None,
    seed: Optional[int] = None,
) -> np.ndarray:
    """(H, W, B) scene to (H, W, C) float32 standardised components, fitted on `pixels` (None: the whole scene).

    seed: of the randomised decomposition, None for the full one; see `fit`.
    Memory beside the cube: first that of `fit`, then the result, (H, W, C) float32. The result of a memory-mapped
    cube is memory-mapped, too.
    """
    return fit(cube, pixels, components, seed).apply(cube)
