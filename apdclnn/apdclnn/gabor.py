"""The bank of 3-D Gabor filters and their magnitude responses to a cube, by separable filtering in bounded memory.

    kernel(x, y, b) = (1/S) · exp(j2π(x·u + y·v + b·w)) · exp(−r²/2σ²)        r² = x² + y² + b²
    u = f · sinφ · cosθ        v = f · sinφ · sinθ        w = f · cosφ

x counts columns, y rows, b bands. The kernel is the outer product of three 1-D kernels. The two spatial axes are
filtered band by band; the spectral axis is then filtered in slabs of pixels, so that only the two parts of the complex
spatial result are as large as the cube. Parts of a kernel that are exactly zero are not computed.

Source: reconstruction choice R8; directions and kernel as in the 3-D Gabor filters used for hyperspectral images.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union, overload

import cv2
import numpy as np

# σ·f for a bandwidth of one octave: (1/π) · √(ln2 / 2) · (2ᵇ + 1) / (2ᵇ − 1) with b = 1, rounded
SIGMA_WAVELENGTHS = 0.56
TRUNCATION = 3.0  # radius of a kernel in σ

ANGLES = tuple(math.pi * quarter / 4 for quarter in range(4))

THREADS = min(os.cpu_count() or 1, 8)
# pixels filtered along the bands at a time: fits the caches; not a power of two, whose strides collide in them
SLAB = 2000

_ROUNDING = 1e-12  # sines and cosines of exact multiples of π/4 differ from the true value by less
_ONE = np.ones(1, np.float32)

Complex = Tuple[np.ndarray, Optional[np.ndarray]]  # real and imaginary part; None is an imaginary part of zero


def _without_rounding(value: Any) -> np.ndarray:
    """The value, or zero where it differs from zero by rounding only."""
    return np.where(np.abs(value) < _ROUNDING, 0.0, value)


class Filter(NamedTuple):
    """One filter: frequency in cycles per pixel (or band), and the direction of its wave in radians.

    theta: angle in the image plane, from the columns' axis to the rows' axis. phi: angle from the spectral axis.
    """

    frequency: float
    theta: float
    phi: float

    @property
    def u(self) -> float:
        """Cycles per column."""
        return float(_without_rounding(self.frequency * math.sin(self.phi) * math.cos(self.theta)))

    @property
    def v(self) -> float:
        """Cycles per row."""
        return float(_without_rounding(self.frequency * math.sin(self.phi) * math.sin(self.theta)))

    @property
    def w(self) -> float:
        """Cycles per band."""
        return float(_without_rounding(self.frequency * math.cos(self.phi)))


def bank(frequencies: Sequence[float]) -> List[Filter]:
    """The filters of 13 directions at each frequency, in the order frequency, φ, θ.

    θ and φ take 0, π/4, π/2 and 3π/4; at φ = 0 all θ give the same wave along the bands, which is included once.

    Raises: ValueError when no frequency is given, one is given twice, or one lies outside (0, 0.5].
    """
    frequencies = [float(frequency) for frequency in frequencies]
    if not frequencies or len(set(frequencies)) < len(frequencies):
        raise ValueError("Gabor frequencies: expected at least one, each once, found %s." % (frequencies,))
    for frequency in frequencies:
        if not 0 < frequency <= 0.5:
            raise ValueError("Gabor frequency %r: expected cycles per pixel, above 0 and at most 0.5." % frequency)
    return [
        Filter(frequency, theta, phi)
        for frequency in frequencies
        for phi in ANGLES
        for theta in (ANGLES if phi else ANGLES[:1])
    ]


def reach(sigma: float) -> int:
    """Pixels to each side over which a kernel of this width in pixels extends."""
    return math.ceil(TRUNCATION * sigma)


def kernels(filter: Filter, sigma: float) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The complex128 kernels along rows, columns and bands whose outer product is the filter's 3-D kernel.

    sigma is in pixels; each kernel reaches ceil(3σ) pixels to both sides. S is the sum of the 3-D Gaussian envelope
    over this support, its third root in each kernel: a cosine of the filter's own frequency and of amplitude 1 gets a
    magnitude of about 1/2 (at f = 1/2, where the wave equals its conjugate, up to 1), so responses of different
    frequencies are comparable.
    """
    radius = reach(sigma)
    offsets = np.arange(-radius, radius + 1)
    envelope = np.exp(-(offsets**2) / (2 * sigma**2))
    envelope /= envelope.sum()

    def kernel(cycles: float) -> np.ndarray:
        phase = 2 * math.pi * cycles * offsets
        return envelope * (_without_rounding(np.cos(phase)) + 1j * _without_rounding(np.sin(phase)))

    return kernel(filter.v), kernel(filter.u), kernel(filter.w)


def response(cube: np.ndarray, filter: Filter, sigma_wavelengths: float = SIGMA_WAVELENGTHS) -> np.ndarray:
    """Magnitude of the cube's convolution with one filter, mirrored at the borders (the border value not repeated).

    cube: (H, W, B), computed in float32. sigma_wavelengths: σ of the Gaussian envelope in wavelengths of the filter,
    σ = sigma_wavelengths / f pixels. Returns (H, W, B) float32, within about 1e-7 of the exact value for a cube in
    [0, 1].

    Raises: ValueError when the cube does not have three axes or sigma_wavelengths is not positive.
    """
    planes = band_planes(cube)
    rows, columns, bands = kernels(filter, pixels_of_sigma(filter, sigma_wavelengths))
    real, imaginary = filter_space(planes, rows, columns)
    magnitudes = np.empty((real.shape[1], real.shape[0]), np.float32)

    def slab(pixels: slice) -> None:
        magnitudes[pixels] = filter_bands(real, imaginary, bands, pixels).T

    in_threads(slab, slabs(len(magnitudes)))
    return magnitudes.reshape(cube.shape)


def pixels_of_sigma(filter: Filter, sigma_wavelengths: float) -> float:
    """σ of the filter's envelope in pixels.

    Raises: ValueError when sigma_wavelengths is not a positive number.
    """
    if not 0 < sigma_wavelengths < math.inf:
        raise ValueError("Gabor sigma_wavelengths %r: expected a positive number." % (sigma_wavelengths,))
    return sigma_wavelengths / filter.frequency


def band_planes(cube: np.ndarray) -> np.ndarray:
    """The cube (H, W, B) as contiguous float32 images (B, H, W), one a band: a copy.

    Raises: ValueError when the cube does not have three axes, all of them non-empty.
    """
    if cube.ndim != 3 or not cube.size:
        raise ValueError("Cube of shape %s: expected (height, width, bands), none of them 0." % (cube.shape,))
    return np.array(np.moveaxis(cube, 2, 0), np.float32, order="C")


def filter_space(
    planes: np.ndarray, rows: np.ndarray, columns: np.ndarray, pixels: Union[slice, np.ndarray] = slice(None)
) -> Complex:
    """Convolve each band's image (B, H, W) with the kernels of the two spatial axes.

    Returns real and imaginary part, (B, H·W) float32, or (B, N) with the N flat indices `pixels` alone.
    """
    (rows_re, rows_im), (columns_re, columns_im) = _parts(rows), _parts(columns)
    number = len(range(*pixels.indices(planes[0].size))) if isinstance(pixels, slice) else len(pixels)
    shape = (len(planes), number)
    real = np.empty(shape, np.float32)
    imaginary = None if rows_im is None and columns_im is None else np.empty(shape, np.float32)

    def band(index: int) -> None:
        plane = planes[index]
        part = _difference(_filtered(plane, rows_re, columns_re), _filtered(plane, rows_im, columns_im))
        real[index] = part.reshape(-1)[pixels]
        if imaginary is not None:
            mixed = _sum(_filtered(plane, rows_re, columns_im), _filtered(plane, rows_im, columns_re))
            assert mixed is not None  # one of the two kernels has an imaginary part
            imaginary[index] = mixed.reshape(-1)[pixels]

    in_threads(band, range(len(planes)))
    return real, imaginary


def filter_bands(real: np.ndarray, imaginary: Optional[np.ndarray], bands: np.ndarray, pixels: slice) -> np.ndarray:
    """Convolve some pixels' spectra, the columns `pixels` of two (B, H·W) parts, with the bands' kernel: magnitudes.

    Returns (B, pixels) float32.
    """
    real = real[:, pixels]
    imaginary = None if imaginary is None else imaginary[:, pixels]
    bands_re, bands_im = _parts(bands)
    re = _difference(_filtered(real, bands_re, _ONE), _filtered(imaginary, bands_im, _ONE))
    im = _sum(_filtered(real, bands_im, _ONE), _filtered(imaginary, bands_re, _ONE))
    if im is None:
        return np.abs(re, out=re)
    # not cv2.magnitude: in OpenCV 4.12 the last bit of its results differs from call to call
    np.multiply(re, re, out=re)
    np.multiply(im, im, out=im)
    return np.sqrt(_sum(re, im), out=re)


def slabs(pixels: int) -> List[slice]:
    """Slices of at most SLAB pixels that cover all of them."""
    return [slice(start, min(start + SLAB, pixels)) for start in range(0, pixels, SLAB)]


def in_threads(task: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Run the task on every item, on all cores: OpenCV and numpy release the interpreter's lock."""
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(task, items):
            pass


def _parts(kernel: np.ndarray) -> Complex:
    """Real and imaginary part as OpenCV takes them: float32, and flipped, because its filters correlate."""
    flipped = kernel[::-1]
    imaginary = np.ascontiguousarray(flipped.imag, np.float32) if flipped.imag.any() else None
    return np.ascontiguousarray(flipped.real, np.float32), imaginary


@overload
def _filtered(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray: ...


@overload
def _filtered(
    image: Optional[np.ndarray], rows: Optional[np.ndarray], columns: Optional[np.ndarray]
) -> Optional[np.ndarray]: ...


def _filtered(
    image: Optional[np.ndarray], rows: Optional[np.ndarray], columns: Optional[np.ndarray]
) -> Optional[np.ndarray]:
    """The image filtered along its rows' and its columns' axis; None, which is zero, where one of the three is.

    OpenCV mirrors as often as needed where a kernel is longer than the axis; scipy before 1.6 fails there on axes of
    length 1.
    """
    if image is None or rows is None or columns is None:
        return None
    return cv2.sepFilter2D(image, cv2.CV_32F, columns, rows, borderType=cv2.BORDER_REFLECT_101)


def _difference(first: np.ndarray, second: Optional[np.ndarray]) -> np.ndarray:
    """first − second, in the memory of the first."""
    return first if second is None else np.subtract(first, second, out=first)


@overload
def _sum(first: np.ndarray, second: Optional[np.ndarray]) -> np.ndarray: ...


@overload
def _sum(first: Optional[np.ndarray], second: Optional[np.ndarray]) -> Optional[np.ndarray]: ...


def _sum(first: Optional[np.ndarray], second: Optional[np.ndarray]) -> Optional[np.ndarray]:
    """first + second, in the memory of the first."""
    if first is None or second is None:
        return second if first is None else first
    return np.add(first, second, out=first)
