"""Hand-crafted features of a scene: principal components of all its Gabor responses, streamed and cached.

52 filters make 52 cubes out of one, too much to hold. So every response is computed twice, and dropped each time:

    pass 1    its values at a sample of the pixels, at most SAMPLE_PIXELS; on them the PCA is fitted
    pass 2    its share (response − mean) · weights of the components at all pixels, added up over the filters

A scene no larger than the sample needs only pass 1. The result is cached under a name made of everything it depends on.

Source: reconstruction choice R8.
"""

import contextlib
import hashlib
import io
import json
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from sklearn.decomposition import PCA

from apdclnn.gabor import (
    SIGMA_WAVELENGTHS,
    SLAB,
    THREADS,
    Filter,
    band_planes,
    bank,
    filter_bands,
    filter_space,
    in_threads,
    kernels,
    pixels_of_sigma,
    slabs,
)
from shared_data.atomic import atomic_path
from shared_data.progress import TrainingProgress

CACHE_VERSION = "gabor features 2"  # to be raised by any change of the numbers
SAMPLE_PIXELS = 4096
SEED = 0  # of the sample and of the randomised PCA
# enough for 20 components of Indian Pines to agree with the exact ones to 1e-4; scikit-learn's own choice, 7, to 2e-2
POWER_ITERATIONS = 20

_DIGEST_BYTES = hashlib.sha256().digest_size

Advance = Callable[[], None]


def gabor_features(
    cube: np.ndarray,
    frequencies: Sequence[float],
    components: int,
    cache_folder: Any,
    sigma_wavelengths: float = SIGMA_WAVELENGTHS,
    progress: Optional[Callable[[int, int], None]] = None,
    fitted: Optional[np.ndarray] = None,
) -> np.ndarray:
    """The whitened principal components of the magnitude responses of `bank(frequencies)`.

    cube: (H, W, B), scaled to [0, 1]; computed in float32. cache_folder: made when missing; a file in it that is
    damaged is computed anew. progress: called as progress(filters done, filters in all) after each filter of each pass;
    without it a bar is drawn on stderr when that is a terminal. fitted: flat indices of the pixels the sample is drawn
    from, instead of the whole scene.

    Returns (H, W, components) float32: mean 0 and variance 1 over the sampled pixels, uncorrelated there, by falling
    variance before whitening; the largest weight of each component is positive.

    Memory beside the cube: at most `memory_bound_bytes`, which is the cube three times and the sample three times.

    Raises: ValueError for a cube that has no three axes or holds NaN or infinity, a frequency outside (0, 0.5], a
    sigma_wavelengths that is not positive, components that are fewer than 1 or more than the sampled pixels, the
    responses, or what varies in them.
    OSError when the cache folder cannot be written.
    """
    filters = bank(frequencies)
    cube = np.ascontiguousarray(cube, np.float32)
    _check_cube(cube)
    pixels = cube.shape[0] * cube.shape[1]
    chosen = _sampled(np.arange(pixels) if fitted is None else np.sort(fitted))
    _check_components(components, len(chosen), len(filters) * cube.shape[2])
    shape = (*cube.shape[:2], components)
    cached = _cache_path(cube, filters, components, sigma_wavelengths, cache_folder, chosen)
    features = _read(cached, shape)
    if features is None:
        features = _compute(cube, filters, components, sigma_wavelengths, progress, chosen).reshape(shape)
        _write(cached, features)
    return features


def memory_bound_bytes(shape: Tuple[int, int, int], filters: int, components: int = 20) -> int:
    """Most bytes `gabor_features` takes beside the cube it is given: shape (H, W, B) and the number of filters.

    The cube is C-contiguous float32; any other is copied first, which comes on top.

    With M = min(H·W, SAMPLE_PIXELS) sampled pixels, F filters and T components, in numbers of 4 bytes:

        3 · H·W·B                              the bands as images; real and imaginary part of one filter
        3 · M·F·B                              the sample, and the PCA's copies of it
        THREADS · (6 · H·W + 8 · B·SLAB)       what is being filtered: a band in space, a slab along the bands
        4 · H·W·T + 8 · (T + 10)·(M + F·B)     the features and their file; the factors of the PCA
        2²⁰                                    everything small

    F·B·H·W, all responses at once, is not among them.
    """
    height, width, bands = shape
    pixels, responses = height * width, filters * bands
    sample = min(pixels, SAMPLE_PIXELS)
    numbers = 3 * pixels * bands + 3 * sample * responses
    numbers += THREADS * (6 * pixels + 8 * bands * min(SLAB, pixels))
    numbers += 4 * pixels * components + 8 * (components + 10) * (sample + responses) + 2**20
    return 4 * numbers


def _check_cube(cube: np.ndarray) -> None:
    if cube.ndim != 3 or not cube.size:
        raise ValueError("Cube of shape %s: expected (height, width, bands), none of them 0." % (cube.shape,))
    if not np.isfinite(cube).all():
        raise ValueError("The cube holds NaN or infinity; expected finite values scaled to [0, 1].")


def _check_components(components: int, sample: int, responses: int) -> None:
    if not 1 <= components <= min(sample, responses):
        raise ValueError(
            "%d Gabor components: expected at least 1 and at most the %d sampled pixels and the %d responses."
            % (components, sample, responses)
        )


def _compute(
    cube: np.ndarray,
    filters: List[Filter],
    components: int,
    sigma_wavelengths: float,
    progress: Optional[Callable[[int, int], None]],
    chosen: np.ndarray,
) -> np.ndarray:
    """The features (H·W, components) of a checked cube, fitted on the chosen pixels."""
    pixels = cube.shape[0] * cube.shape[1]
    whole = len(chosen) == pixels
    bank_kernels = [kernels(filter, pixels_of_sigma(filter, sigma_wavelengths)) for filter in filters]
    planes = band_planes(cube)
    with _counted(len(filters) * (1 if whole else 2), progress) as advance:
        sample = _sample(planes, bank_kernels, chosen, advance)
        mean, weights = _fit(sample, components, float(np.abs(cube.reshape(pixels, -1)[chosen]).max()))
        if whole:
            sample -= mean
            return sample.dot(weights)
        del sample
        return _project(planes, bank_kernels, mean, weights, advance)


def _sampled(pixels: np.ndarray) -> np.ndarray:
    """At most SAMPLE_PIXELS of ascending flat indices, ascending. By chance: a fixed step could follow the columns."""
    if len(pixels) <= SAMPLE_PIXELS:
        return pixels
    return pixels[np.sort(np.random.RandomState(SEED).choice(len(pixels), SAMPLE_PIXELS, replace=False))]


def _sample(planes: np.ndarray, bank_kernels: List[Tuple], chosen: np.ndarray, advance: Advance) -> np.ndarray:
    """Responses of every filter at the chosen pixels: (pixels, filters·B), one filter's bands side by side."""
    bands = len(planes)
    sample = np.empty((len(chosen), len(bank_kernels) * bands), np.float32)
    for index, (rows, columns, spectral) in enumerate(bank_kernels):
        real, imaginary = filter_space(planes, rows, columns, chosen)
        for part in slabs(len(chosen)):
            magnitudes = filter_bands(real, imaginary, spectral, part)
            sample[part, index * bands : (index + 1) * bands] = magnitudes.T
        advance()
    return sample


def _fit(sample: np.ndarray, components: int, scale: float) -> Tuple[np.ndarray, np.ndarray]:
    """Mean (responses,) and weights (responses, components) of the whitened PCA; scale: the sample's largest input."""
    pca = PCA(components, whiten=True, svd_solver="randomized", iterated_power=POWER_ITERATIONS, random_state=SEED)
    with np.errstate(divide="ignore", invalid="ignore"):  # the ratio of explained variance, 0/0 on a flat cube
        pca.fit(sample)
    rounding = sample.shape[1] * (np.finfo(np.float32).eps * scale) ** 2
    varying = int((pca.explained_variance_ > rounding).sum())
    if varying < components:
        raise ValueError(
            "The Gabor responses of this cube vary in %d components only, %d were asked for; ask for fewer."
            % (varying, components)
        )
    weights = pca.components_ / np.sqrt(pca.explained_variance_)[:, np.newaxis]
    # an eigenvector's sign is arbitrary and differs between versions of scikit-learn
    largest = np.abs(weights).argmax(axis=1)
    weights *= np.sign(weights[np.arange(components), largest])[:, np.newaxis]
    return pca.mean_.astype(np.float32), np.ascontiguousarray(weights.T, np.float32)


def _project(
    planes: np.ndarray, bank_kernels: List[Tuple], mean: np.ndarray, weights: np.ndarray, advance: Advance
) -> np.ndarray:
    """The components at all pixels, (H·W, components), filter by filter."""
    bands, pixels = len(planes), planes[0].size
    features = np.zeros((pixels, weights.shape[1]), np.float32)
    for index, (rows, columns, spectral) in enumerate(bank_kernels):
        own = slice(index * bands, (index + 1) * bands)
        real, imaginary = filter_space(planes, rows, columns)

        def centred(part: slice, real=real, imaginary=imaginary, spectral=spectral, own=own) -> None:
            # in the place of the real part, whose slab has served
            real[:, part] = filter_bands(real, imaginary, spectral, part) - mean[own, np.newaxis]

        in_threads(centred, slabs(pixels))
        # one product outside of the threads: BLAS has its own, and both together are three times slower
        features += real.T.dot(weights[own])
        advance()
    return features


@contextlib.contextmanager
def _counted(total: int, progress: Optional[Callable[[int, int], None]]) -> Iterator[Advance]:
    """A function to call after each of `total` filters: it calls `progress`, or moves a bar."""
    if progress is None:
        with TrainingProgress(total, 0) as bar:
            yield bar.update
        return
    done = iter(range(1, total + 1))
    yield lambda: progress(next(done), total)


def _cache_path(
    cube: np.ndarray, filters: List[Filter], components: int, sigma_wavelengths: float, folder: Any, chosen: np.ndarray
) -> Path:
    """The cached file's path; its name is a hash of all that the features depend on."""
    parameters = {
        "version": CACHE_VERSION,
        "filters": filters,
        "sigma_wavelengths": float(sigma_wavelengths),
        "components": int(components),
        "pca": [SAMPLE_PIXELS, POWER_ITERATIONS, SEED],
        "shape": cube.shape,
    }
    content = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    content.update(cube)
    content.update(chosen.astype("<i8"))
    return Path(folder) / ("gabor-%s.npy" % content.hexdigest()[:16])


def _read(path: Path, shape: Tuple[int, ...]) -> Optional[np.ndarray]:
    """The cached features; None when there are none, or the file is not as it was written."""
    try:
        content = path.read_bytes()
        array, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if hashlib.sha256(array).digest() != digest:
            return None
        features = np.load(io.BytesIO(array), allow_pickle=False)
    except (OSError, ValueError):
        return None
    return features if features.shape == shape and features.dtype == np.float32 else None


def _write(path: Path, features: np.ndarray) -> None:
    """An ordinary .npy file with the SHA-256 of its bytes behind the array, where numpy's reader does not look."""
    array = io.BytesIO()
    np.save(array, features, allow_pickle=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(array.getbuffer())
        file.write(hashlib.sha256(array.getbuffer()).digest())
