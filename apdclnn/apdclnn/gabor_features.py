"""Hand-crafted features of a scene: principal components of all its Gabor responses, streamed and cached.

52 filters make 52 cubes out of one, too much for memory. So every response is computed twice, and discarded each time:

    pass 1    its values at a sample of the pixels, at most SAMPLE_PIXELS; on them the PCA is fitted
    pass 2    its share (response − mean) · weights of the components at all pixels, added up over the filters

A scene no larger than the sample needs only pass 1, at all of its pixels. A memory-mapped scene is processed in slabs
of rows, each read with a margin of the filters' radius, in both passes, so that a pass reads the file once.

The result, and the PCA beside it, is cached under a name that is a hash of everything it depends on. The PCA of one
scene can be applied to another.

Source: reconstruction choice R8.
"""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

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
    reach,
    slabs,
)
from shared_data.files.atomic import atomic_path
from shared_data.runs.progress import Progress
from shared_data.scenes.mapped import is_mapped, row_blocks, storage_like

CACHE_VERSION = "gabor features 3"  # increase it with every change of the results
SAMPLE_PIXELS = 4096
SEED = 0  # of the sample and of the randomised PCA
# enough for 20 components of Indian Pines to agree with the exact ones to 1e-4; scikit-learn's own choice, 7, to 2e-2
POWER_ITERATIONS = 20

_DIGEST_BYTES = hashlib.sha256().digest_size
_HASHED_BYTES = 1 << 20  # at a time
_ROWS_BYTES = 1 << 27  # of a memory-mapped cube's rows filtered at a time, without those around them

Advance = Callable[[], None]


class GaborFit(NamedTuple):
    """The whitened PCA of R responses, F filters of B bands each: mean (R) and weights (R, T), float32."""

    mean: np.ndarray
    weights: np.ndarray


def gabor_features(
    cube: np.ndarray,
    frequencies: Sequence[float],
    components: int,
    cache_folder: Optional[Union[str, Path]],
    sigma_wavelengths: float = SIGMA_WAVELENGTHS,
    progress: Optional[Callable[[int, int], None]] = None,
    fitted: Optional[np.ndarray] = None,
    fit: Optional[GaborFit] = None,
) -> np.ndarray:
    """The features of `features_and_fit` alone."""
    options = (cache_folder, sigma_wavelengths, progress, fitted, fit)
    return features_and_fit(cube, frequencies, components, *options)[0]


def features_and_fit(
    cube: np.ndarray,
    frequencies: Sequence[float],
    components: int,
    cache_folder: Optional[Union[str, Path]],
    sigma_wavelengths: float = SIGMA_WAVELENGTHS,
    progress: Optional[Callable[[int, int], None]] = None,
    fitted: Optional[np.ndarray] = None,
    fit: Optional[GaborFit] = None,
) -> Tuple[np.ndarray, GaborFit]:
    """The whitened principal components of the magnitude responses of `bank(frequencies)`.

    cube: (H, W, B), scaled to [0, 1]; computed in float32. A memory-mapped one is C-contiguous float32. cache_folder:
    made when missing; a file in it that is damaged is computed anew; None: nothing is kept. progress: called as
    progress(filters done, filters in all) after each filter of each pass, and of each slab of rows; without it a bar is
    drawn on stderr when that is a terminal. fitted: flat indices of the pixels the sample is drawn from, instead of the
    whole scene. fit: of another call with the same filters and as many bands, applied here instead of fitting one.

    Returns the features (H, W, components) float32, and what was fitted: mean 0 and variance 1 over the sampled pixels,
    uncorrelated there, by falling variance before whitening; the largest weight of each component is positive. Those of
    a memory-mapped cube are memory-mapped, too.

    Memory beside the cube: at most `memory_bound_bytes`, which is the cube three times and the sample three times (four
    times, where some pixels of a scene no larger than the sample are fitted); of a memory-mapped cube, that for one
    slab of rows instead of all.

    Raises: ValueError for a cube that has no three axes or holds NaN or infinity, a frequency outside (0, 0.5], a
    sigma_wavelengths that is not positive, components that are fewer than 1 or more than the sampled pixels, the
    responses, or what varies in them, and for a fit of other responses or another number of components.
    OSError when the cache folder cannot be written.
    """
    filters = bank(frequencies)
    if not is_mapped(cube):
        cube = np.ascontiguousarray(cube, np.float32)
    _check_cube(cube)
    pixels = cube.shape[0] * cube.shape[1]
    chosen = _sampled(np.arange(pixels) if fitted is None else np.sort(fitted))
    responses = len(filters) * cube.shape[2]
    if fit is None:
        _check_components(components, len(chosen), responses)
    elif fit.weights.shape != (responses, components) or fit.mean.shape != (responses,):
        raise ValueError(
            "The fit is of %s responses and components, expected %s." % (fit.weights.shape, (responses, components))
        )
    shape = (*cube.shape[:2], components)
    depends_on = [chosen.astype("<i8")] if fit is None else [np.ascontiguousarray(part) for part in fit]
    cached, found = None, None
    if cache_folder is not None:
        cached = _cache_path(cube, filters, components, sigma_wavelengths, cache_folder, depends_on)
        found = _read(cached, shape, responses, is_mapped(cube))
    if found is None:
        features, fit = _compute(cube, filters, components, sigma_wavelengths, progress, chosen, fit)
        found = features.reshape(shape), fit
        if cached is not None:
            _write(cached, *found)
    return found


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
    if not all(np.isfinite(cube[rows]).all() for rows in row_blocks(cube)):
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
    fit: Optional[GaborFit],
) -> Tuple[np.ndarray, GaborFit]:
    """The features (H·W, components) of a checked cube, fitted on the chosen pixels where no fit is given.

    The computation depends only on the scene's size, so a fit applied to its own scene gives the same bits again.
    """
    pixels = cube.shape[0] * cube.shape[1]
    small = pixels <= SAMPLE_PIXELS
    sigmas = [pixels_of_sigma(filter, sigma_wavelengths) for filter in filters]
    bank_kernels = [kernels(filter, sigma) for filter, sigma in zip(filters, sigmas)]
    rows = _MappedRows(cube, reach(max(sigmas))) if is_mapped(cube) else [_Rows(band_planes(cube), 0, slice(0, pixels))]
    passes = 1 if small or fit is not None else 2
    sample: Any = None
    with _counted(len(rows) * len(filters) * passes, progress) as advance:
        if small or fit is None:
            sampled = np.arange(pixels) if small else chosen
            sample = _sample(rows, bank_kernels, sampled, cube.shape[2], advance)
        if fit is None:
            some = sample if len(chosen) == len(sampled) else sample[chosen]
            fit = _fit(some, components, float(np.abs(cube.reshape(pixels, -1)[chosen]).max()))
            del some
        if small:
            sample -= fit.mean
            return sample.dot(fit.weights), fit
        sample = None  # frees its memory
        features = storage_like(cube, (pixels, components), np.float32)
        _project(rows, bank_kernels, fit.mean, fit.weights, features, advance)
        return features, fit


class _Rows(NamedTuple):
    """A slab of a cube's rows as images of its bands, with a margin of the filters' radius.

    planes: (B, h, W). first: flat index of their first pixel in the scene. wanted: flat indices in the scene of the
    pixels with exact responses, those of the slab without the margin.
    """

    planes: np.ndarray
    first: int
    wanted: slice

    def within(self, pixels: Union[slice, np.ndarray]) -> Union[slice, np.ndarray]:
        """Convert flat indices in the scene to flat indices in the planes."""
        if isinstance(pixels, slice):
            return slice(pixels.start - self.first, pixels.stop - self.first)
        return pixels - self.first


class _MappedRows:
    """All rows of a memory-mapped cube, slab by slab; each is read into the memory of the previous one."""

    def __init__(self, cube: np.ndarray, around: int) -> None:
        self._cube, self._around = cube, around
        # slabs smaller than the margin would spend most of the filtering on the margin
        self._rows = max(around, _ROWS_BYTES // cube[0].nbytes)

    def __len__(self) -> int:
        return -(-len(self._cube) // self._rows)

    def __iter__(self) -> Iterator[_Rows]:
        height, width, bands = self._cube.shape
        planes = np.empty((bands, min(height, self._rows + 2 * self._around), width), np.float32)
        for start in range(0, height, self._rows):
            stop = min(start + self._rows, height)
            top, bottom = max(start - self._around, 0), min(stop + self._around, height)
            planes[:, : bottom - top] = np.moveaxis(self._cube[top:bottom], 2, 0)
            yield _Rows(planes[:, : bottom - top], top * width, slice(start * width, stop * width))


def _sampled(pixels: np.ndarray) -> np.ndarray:
    """At most SAMPLE_PIXELS of ascending flat indices, ascending. At random, because a fixed step could coincide with
    the columns."""
    if len(pixels) <= SAMPLE_PIXELS:
        return pixels
    return pixels[np.sort(np.random.RandomState(SEED).choice(len(pixels), SAMPLE_PIXELS, replace=False))]


def _sample(rows: Any, bank_kernels: List[Tuple], chosen: np.ndarray, bands: int, advance: Advance) -> np.ndarray:
    """Responses of every filter at the chosen pixels: (pixels, filters·B), one filter's bands side by side."""
    sample = np.empty((len(chosen), len(bank_kernels) * bands), np.float32)
    for some in rows:
        here = slice(*np.searchsorted(chosen, (some.wanted.start, some.wanted.stop)))
        pixels, responses = some.within(chosen[here]), sample[here]
        for index, (along_rows, along_columns, spectral) in enumerate(bank_kernels):
            if len(pixels):
                real, imaginary = filter_space(some.planes, along_rows, along_columns, pixels)
            for part in slabs(len(pixels)):
                magnitudes = filter_bands(real, imaginary, spectral, part)
                responses[part, index * bands : (index + 1) * bands] = magnitudes.T
            advance()
    return sample


def _fit(sample: np.ndarray, components: int, scale: float) -> GaborFit:
    """The whitened PCA of a sample (pixels, responses); scale: the sample's largest input."""
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
    return GaborFit(pca.mean_.astype(np.float32), np.ascontiguousarray(weights.T, np.float32))


def _project(
    rows: Any, bank_kernels: List[Tuple], mean: np.ndarray, weights: np.ndarray, features: np.ndarray, advance: Advance
) -> None:
    """Write the components at all pixels, (H·W, components), filter by filter."""
    features[:] = 0
    for some in rows:
        bands, part_of_features = len(some.planes), features[some.wanted]
        for index, (along_rows, along_columns, spectral) in enumerate(bank_kernels):
            own = slice(index * bands, (index + 1) * bands)
            real, imaginary = filter_space(some.planes, along_rows, along_columns, some.within(some.wanted))

            def centred(part: slice, real=real, imaginary=imaginary, spectral=spectral, own=own) -> None:
                # overwrites the real part, whose slab is no longer needed
                real[:, part] = filter_bands(real, imaginary, spectral, part) - mean[own, np.newaxis]

            in_threads(centred, slabs(len(part_of_features)))
            # one product outside of the threads: BLAS has its own threads, and nesting both is three times slower
            part_of_features += real.T.dot(weights[own])
            advance()


@contextlib.contextmanager
def _counted(total: int, progress: Optional[Callable[[int, int], None]]) -> Iterator[Advance]:
    """A function to call after each of `total` filters: it calls `progress`, or advances a progress bar."""
    if progress is None:
        with Progress(total, title="Gabor filters") as bar:
            yield bar.update
        return
    done = iter(range(1, total + 1))
    yield lambda: progress(next(done), total)


def _cache_path(
    cube: np.ndarray,
    filters: List[Filter],
    components: int,
    sigma_wavelengths: float,
    folder: Union[str, Path],
    depends_on: List[np.ndarray],
) -> Path:
    """The cached file's path; its name is a hash of all that the features depend on.

    depends_on: the pixels that are fitted, or the given fit.
    """
    parameters = {
        "version": CACHE_VERSION,
        "filters": filters,
        "sigma_wavelengths": float(sigma_wavelengths),
        "components": int(components),
        "pca": [SAMPLE_PIXELS, POWER_ITERATIONS, SEED],
        "shape": cube.shape,
    }
    content = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    content.update(cube.data)
    for array in depends_on:
        content.update(array.data)
    return Path(folder) / ("gabor-%s.npy" % content.hexdigest()[:16])


def _read(path: Path, shape: Tuple[int, ...], responses: int, mapped: bool) -> Optional[Tuple[np.ndarray, GaborFit]]:
    """The cached features and their fit; None when there are none, or the file fails its checksum."""
    try:
        with open(str(path), "rb") as file:
            array_bytes = file.seek(-_DIGEST_BYTES, 2)
            digest = file.read()
            file.seek(0)
            if _digest(file, array_bytes) != digest:
                return None
            if mapped:
                features = np.load(str(path), mmap_mode="r", allow_pickle=False)
                file.seek(features.offset + features.nbytes)
            else:
                file.seek(0)
                features = np.load(file, allow_pickle=False)
            fit = GaborFit(*(np.load(file, allow_pickle=False) for _ in GaborFit._fields))
    except (OSError, ValueError):
        return None
    shapes = [shape, (responses,), (responses, shape[2])]
    arrays = [features, *fit]
    fits = [array.shape for array in arrays] == shapes and all(array.dtype == np.float32 for array in arrays)
    return (features, fit) if fits else None


def _digest(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the next `size` bytes."""
    digest = hashlib.sha256()
    for start in range(0, size, _HASHED_BYTES):
        digest.update(file.read(min(_HASHED_BYTES, size - start)))
    return digest.digest()


def _write(path: Path, features: np.ndarray, fit: GaborFit) -> None:
    """Write a regular .npy file with the fit and the SHA-256 of everything behind its array, which numpy's reader
    ignores."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "w+b") as file:
        for array in (features, *fit):
            np.save(file, array, allow_pickle=False)
        size = file.tell()
        file.seek(0)
        digest = _digest(file, size)
        file.seek(size)
        file.write(digest)
