"""A generated scene: farmland that looks, to a classifier, much like a measured one. It needs no download.

The scene is made the way a measured scene comes about, one small function per step:

    land division → covers → abundances → spectra → variability → illumination → sensor → digital numbers
                          ↘ ground truth

1. A tilted patchwork of fields of very different sizes is cut out, with roads between the large blocks. Every field
   gets one cover, or stays unlabelled and carries a patchy mixture of two covers. Two buildings stand in unlabelled
   land. The ground truth is what a surveyor would mark: the inside of the labelled fields, without their margins.
2. Pixels at a border mix the covers of both sides (a blur of the abundances), and each pixel's reflectance is the
   linear mixture of smooth endmember spectra, 400 to 2500 nm.
3. Each field, each patch within a field and each pixel deviates from its endmember by a smooth function of wavelength.
4. Illumination changes slowly over the scene; the atmosphere's water vapour blanks a few bands; the sensor adds noise
   that grows with the signal and differs between bands, and one band with stripes.

What methods score on it: overall accuracy on standardised features; measured and bounded in tests/test_synthetic.py.
Random: three random splits with 5 % of each class (at least 5 pixels) for training. Unseen fields: the five folds of
the protocol spatial-cv, seed 1.

                                                 random   unseen fields
    linear SVM (C = 1) on spectra                 89.1 %          89.6 %
    linear SVM (C = 1) on means of 5×5 pixels     96.1 %          92.9 %
    nearest neighbour on spectra                  64.6 %          62.2 %
    nearest neighbour on position                 87.9 %          27.4 %

Means of 5×5 pixels average out the deviations of single pixels and the noise. The deviations of whole fields, which
would mislead on unseen fields, are small. Under a random split, position alone scores nearly as much as spectra.

Only numpy's legacy generator is drawn from, whose streams are frozen, so that every version of numpy gives the same
scene.
"""

from typing import List, NamedTuple, Tuple

import numpy as np
from scipy import ndimage

HEIGHT, WIDTH, BANDS = 128, 96, 64
SEED = 20130214

# Reflectance 1.0 is stored as this digital number.
DIGITAL_NUMBERS_PER_REFLECTANCE = 10000

WAVELENGTHS = np.linspace(400.0, 2500.0, BANDS)  # nm, band centres
# Bands in which water vapour absorbs nearly all light, and the band whose detector has stripes.
WATER_VAPOUR_BANDS = (30, 31, 45, 46, 47)
STRIPED_BAND = 3

CLASS_NAMES = ("Corn", "Soybean", "Wheat", "Grass", "Alfalfa", "Woods", "Bare soil", "Asphalt", "Metal roofs")
UNLABELLED = 0
ASPHALT, METAL_ROOFS = 8, 9

# Pixels aimed at in the interiors of fields, by cover; roads and buildings come on top.
_WANTED_PIXELS = {UNLABELLED: 2700, 1: 2000, 2: 1500, 3: 450, 4: 600, 5: 90, 6: 800, 7: 260}

_ROAD_WIDTH = 3
_BUILDING_SIDE = 4
_TILT = 8  # tilt of the patchwork: one pixel in this number of pixels


def generate() -> Tuple[np.ndarray, np.ndarray]:
    """Make the scene; every call, on every machine, returns the same.

    Returns:
        cube: (128, 96, 64) uint16, digital numbers (reflectance × 10000).
        ground_truth: (128, 96) uint8, 0 for unlabelled, 1..9 for the classes of `CLASS_NAMES`.
    """
    random = np.random.RandomState(SEED)
    fields = _tilt(_divide_land(random))
    land = _add_buildings(_choose_covers(fields))
    ground_truth = _survey(land)
    abundances = _blur_borders(_pure_abundances(land, random))
    reflectance = abundances.dot(_endmembers())
    reflectance *= _variability(land.fields, random)
    reflectance *= _illumination(random)[:, :, np.newaxis]
    return _digital_numbers(_sense(reflectance, random)), ground_truth


class _Land(NamedTuple):
    """What grows where. `fields` is (H, W), a number per field; `covers[n]` is the cover of field n, 0..9."""

    fields: np.ndarray
    covers: np.ndarray


# --- 1. land ---------------------------------------------------------------------------------------------------------


def _divide_land(random: np.random.RandomState) -> np.ndarray:
    """Cut a rectangle, somewhat larger than the scene, into fields 1, 2, ...; roads are 0. Shape (H + 12, W + 16)."""
    fields = np.zeros((HEIGHT + WIDTH // _TILT, WIDTH + HEIGHT // _TILT), dtype=np.int64)
    blocks = [(slice(0, fields.shape[0]), slice(0, fields.shape[1]), 0)]
    number = 0
    while blocks:
        rows, columns, depth = blocks.pop()
        if _is_field(rows, columns, depth, random):
            number += 1
            fields[rows, columns] = number
        else:
            blocks.extend(_cut(rows, columns, depth, random))
    return fields


def _is_field(rows: slice, columns: slice, depth: int, random: np.random.RandomState) -> bool:
    """Whether a block is left whole. Small blocks always are, large ones never, others by chance."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if depth < 3:
        return False
    return max(height, width) < 14 or (height * width < 900 and random.random_sample() < 0.35)


def _cut(rows: slice, columns: slice, depth: int, random: np.random.RandomState) -> List[Tuple[slice, slice, int]]:
    """Cut a block across its longer side, at 30 to 70 % of it; the first two generations leave a road in between."""
    across_rows = rows.stop - rows.start >= columns.stop - columns.start
    side = rows if across_rows else columns
    road = _ROAD_WIDTH if depth < 2 else 0
    middle = side.start + (side.stop - side.start) * random.randint(30, 71) // 100
    halves = slice(side.start, middle), slice(middle + road, side.stop)
    if across_rows:
        return [(half, columns, depth + 1) for half in halves]
    return [(rows, half, depth + 1) for half in halves]


def _tilt(fields: np.ndarray) -> np.ndarray:
    """Turn the patchwork a little, in whole pixels, and crop it to the scene, (H, W)."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    return fields[row + column // _TILT, column + (HEIGHT - 1 - row) // _TILT]


def _choose_covers(fields: np.ndarray) -> _Land:
    """Give every field, the largest first, the cover that still lacks most pixels."""
    sizes = np.bincount(fields[_interior(fields)], minlength=fields.max() + 1)
    covers = np.zeros(len(sizes), dtype=np.int64)
    lacking = dict(_WANTED_PIXELS)
    for field in np.argsort(-sizes[1:], kind="mergesort") + 1:
        cover = max(lacking, key=lambda candidate: (lacking[candidate], -candidate))
        covers[field] = cover
        lacking[cover] -= sizes[field]
    covers[0] = ASPHALT
    return _Land(fields, covers)


def _add_buildings(land: _Land) -> _Land:
    """Put a building into the middle of each of the two largest unlabelled fields."""
    sizes = np.bincount(land.fields.ravel(), minlength=len(land.covers))
    sizes[land.covers != UNLABELLED] = 0
    fields = land.fields.copy()
    for number, field in enumerate(np.argsort(-sizes, kind="mergesort")[:2], start=len(land.covers)):
        row, column = (places.sum() // places.size - _BUILDING_SIDE // 2 for places in np.nonzero(fields == field))
        fields[row : row + _BUILDING_SIDE, column : column + _BUILDING_SIDE] = number
    return _Land(fields, np.append(land.covers, [METAL_ROOFS, METAL_ROOFS]))


def _interior(fields: np.ndarray) -> np.ndarray:
    """Where, (H, W) bool, all four neighbours belong to the same field."""
    framed = np.pad(fields, 1, mode="edge")
    interior = np.ones(fields.shape, dtype=bool)
    for neighbour in (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]):
        interior &= neighbour == fields
    return interior


def _survey(land: _Land) -> np.ndarray:
    """The ground truth, (H, W) uint8: the covers, without the margins of fields, roads and buildings."""
    return np.where(_interior(land.fields), land.covers[land.fields], UNLABELLED).astype(np.uint8)


# --- 2. mixtures and spectra -----------------------------------------------------------------------------------------


def _pure_abundances(land: _Land, random: np.random.RandomState) -> np.ndarray:
    """Shares of the nine covers before any blur, (H, W, 9), summing to 1.

    Unlabelled fields hold two covers each, in patches with soft transitions.
    """
    share = 1.0 / (1.0 + np.exp(-1.5 * _smooth_noise(random, 2.0)))[:, :, np.newaxis]
    first = land.covers - 1
    second = first.copy()
    for field in np.flatnonzero(land.covers == UNLABELLED):
        first[field], second[field] = random.permutation(METAL_ROOFS - 1)[:2]
    one_hot = np.eye(len(CLASS_NAMES))
    return share * one_hot[first[land.fields]] + (1.0 - share) * one_hot[second[land.fields]]


def _blur_borders(abundances: np.ndarray) -> np.ndarray:
    """Abundances blurred by a sensor footprint wider than a pixel, (H, W, 9), summing to 1."""
    return ndimage.gaussian_filter(abundances, sigma=(0.8, 0.8, 0.0), mode="nearest")


def _endmembers() -> np.ndarray:
    """Reflectance of the nine covers, (9, BANDS), 0..1."""
    return np.array(
        [
            _vegetation(chlorophyll=0.80, canopy=0.46, water=0.50, soil=0.16),  # Corn
            _vegetation(chlorophyll=0.70, canopy=0.50, water=0.43, soil=0.22),  # Soybean
            _vegetation(chlorophyll=0.50, canopy=0.36, water=0.25, soil=0.35),  # Wheat
            _vegetation(chlorophyll=0.85, canopy=0.52, water=0.30, soil=0.25),  # Grass
            _vegetation(chlorophyll=0.60, canopy=0.60, water=0.60, soil=0.10),  # Alfalfa
            _vegetation(chlorophyll=0.88, canopy=0.37, water=0.56, soil=0.10),  # Woods
            _soil(),
            0.09 + 0.06 * _step(800.0, 350.0),  # Asphalt
            0.42 + 0.10 * _step(700.0, 150.0) - 0.08 * _bump(950.0, 180.0),  # Metal roofs
        ]
    )


def _vegetation(chlorophyll: float, canopy: float, water: float, soil: float) -> np.ndarray:
    """A canopy over bare ground, (BANDS,). All arguments are 0..1.

    Args:
        chlorophyll: depth of the absorption at 450 and 670 nm, which leaves the green peak between them.
        canopy: reflectance of the near-infrared plateau behind the red edge.
        water: depth of the leaf water absorption at 970, 1200, 1450 and 1940 nm.
        soil: share of the ground that shows through.
    """
    visible = 0.14 * (1.0 - chlorophyll * (_bump(450.0, 60.0) + _bump(670.0, 50.0)))
    edge = _step(715.0, 18.0)
    leaf = visible * (1.0 - edge) + canopy * edge * (1.0 - 0.45 * _step(1350.0, 60.0))
    for centre, width, depth in ((970.0, 35.0, 0.15), (1200.0, 50.0, 0.25), (1450.0, 90.0, 0.9), (1940.0, 130.0, 1.0)):
        leaf = leaf * (1.0 - water * depth * _bump(centre, width))
    return (1.0 - soil) * leaf + soil * _soil()


def _soil() -> np.ndarray:
    """Bare soil, (BANDS,): rising with wavelength, with the clay absorption at 2200 nm."""
    return 0.08 + 0.30 * (1.0 - np.exp(-(WAVELENGTHS - 400.0) / 700.0)) - 0.04 * _bump(2200.0, 60.0)


def _bump(centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((WAVELENGTHS - centre) / width) ** 2)


def _step(centre: float, width: float) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-(WAVELENGTHS - centre) / width))


# --- 3. variability and illumination ---------------------------------------------------------------------------------


def _variability(fields: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Factors around 1, (H, W, BANDS), smooth in wavelength: one deviation per field, per patch and per pixel."""
    harmonics = np.cos(np.pi * np.outer(np.arange(6), (np.arange(BANDS) + 0.5) / BANDS))
    per_field = random.standard_normal((fields.max() + 1, 6))[fields]
    per_patch = np.stack([_smooth_noise(random, 3.0) for _ in range(6)], axis=-1)
    per_pixel = random.standard_normal((HEIGHT, WIDTH, 6))
    weights = 0.004 * per_field + 0.006 * per_patch + 0.05 * per_pixel
    return 1.0 + weights.dot(harmonics)


def _illumination(random: np.random.RandomState) -> np.ndarray:
    """Factors around 1, (H, W), that change slowly over the scene."""
    return np.exp(0.06 * _smooth_noise(random, 12.0))


def _smooth_noise(random: np.random.RandomState, sigma: float) -> np.ndarray:
    """Spatially correlated noise, (H, W), mean 0 and standard deviation 1; `sigma` in pixels."""
    noise = ndimage.gaussian_filter(random.standard_normal((HEIGHT, WIDTH)), sigma=sigma, mode="reflect")
    return (noise - noise.mean()) / noise.std()


# --- 4. sensor -------------------------------------------------------------------------------------------------------


def _sense(reflectance: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """What the sensor reports, (H, W, BANDS), as reflectance; noise may take it below 0."""
    transmission = np.ones(BANDS)
    transmission[list(WATER_VAPOUR_BANDS)] = 0.02
    signal = reflectance * transmission
    band_quality = random.uniform(0.7, 1.4, BANDS)
    band_quality[list(WATER_VAPOUR_BANDS)] = 2.0
    noise = np.sqrt(1e-5 + 7e-4 * signal) * band_quality * random.standard_normal(signal.shape)
    signal = signal + noise
    signal[:, :, STRIPED_BAND] += 0.05 * random.standard_normal(WIDTH)
    return signal


def _digital_numbers(reflectance: np.ndarray) -> np.ndarray:
    """Quantised to uint16; negative values become 0."""
    return np.clip(np.rint(reflectance * DIGITAL_NUMBERS_PER_REFLECTANCE), 0, 65535).astype(np.uint16)
