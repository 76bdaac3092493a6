"""Whether labels lie on their cube as they should: borders between labels against edges between spectra.

Neighbouring pixels with different labels differ more in their spectra than neighbours with the same one, if the map is
not flipped or transposed. Compared are the mean logarithms of these differences by Welch's t statistic, for the map as
it is and in every other position. On Indian Pines it is 30 as it is and below 6 otherwise; on parts of it with 40×40
pixels 8 and below 4. Scenes with few or scattered labels have no clear answer and get no warning.
"""

from collections.abc import Iterator

import numpy as np

from shared_data.scenes.mapped import row_blocks

_BANDS = 16  # spread over the spectrum
_ROWS = 100  # from which the scale of a band is estimated
_CLEAR = 6.0  # t statistic of a position that fits
_FACTOR = 2.0  # by which it exceeds that of the map as it is
_LEAST_DISTANCE = 1e-6  # of equal spectra, in standard deviations


def better_position(cube: np.ndarray, valid: np.ndarray, labels: np.ndarray) -> str | None:
    """Which change of the labels puts their borders on edges of the cube where they are not now; None for no change.

    cube: (H, W, B). valid: (H, W) bool, the pixels that count. labels: (H, W), 0 where unlabelled.
    """
    positions = dict(_positions(labels))
    sums = {name: np.zeros((2, 3)) for name in positions}
    scale, bands = _scale(cube, valid)
    for rows in row_blocks(cube):
        part = slice(rows.start, min(rows.stop + 1, len(cube)))  # with the row below
        spectra = np.asarray(cube[part][:, :, bands], np.float64) / scale
        for name, position in positions.items():
            sums[name] += _sums(spectra, valid[part], position[part], rows.stop - rows.start)
    fits = {name: _welch(*total) for name, total in sums.items()}
    best = max(fits, key=lambda name: fits[name])
    now = fits.pop("")
    return best if best and fits[best] > max(_CLEAR, _FACTOR * now) else None


def _positions(labels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The labels as they are and changed, by what was done, without those of another shape."""
    mirrored = (
        ("", slice(None), slice(None)),
        ("flipped top to bottom", slice(None, None, -1), slice(None)),
        ("flipped left to right", slice(None), slice(None, None, -1)),
        ("turned by 180°", slice(None, None, -1), slice(None, None, -1)),
    )
    for name, rows, columns in mirrored:
        yield name, labels[rows, columns]
    if labels.shape[0] == labels.shape[1]:
        for name, rows, columns in mirrored:
            yield "transposed" + (f" and {name}" if name else ""), labels.T[rows, columns]


def _scale(cube: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The standard deviations of some bands, by a sample of rows, and their indices."""
    bands = np.unique(np.linspace(0, cube.shape[2] - 1, _BANDS).round().astype(int))
    rows = np.unique(np.linspace(0, len(cube) - 1, _ROWS).round().astype(int))
    spectra = np.concatenate([np.asarray(cube[row])[valid[row]][:, bands] for row in rows]).astype(np.float64)
    scale = spectra.std(axis=0) if len(spectra) else np.ones(len(bands))
    return np.where(scale > 0, scale, 1.0), bands


def _sums(spectra: np.ndarray, valid: np.ndarray, labels: np.ndarray, rows: int) -> np.ndarray:
    """Number, sum and sum of squares of the differences, at borders and inside of labels; (2, 3).

    rows: of which the neighbours on the right are counted; the last row, if there is one more, is only a neighbour.
    """
    total = np.zeros((2, 3))
    pairs = (
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
        ((slice(rows), slice(None, -1)), (slice(rows), slice(1, None))),
    )
    for one, other in pairs:
        distance = np.sqrt(((spectra[one] - spectra[other]) ** 2).mean(axis=2))
        size = np.log(distance + _LEAST_DISTANCE)
        counted = valid[one] & valid[other]
        same = labels[one] == labels[other]
        for number, chosen in enumerate((counted & ~same, counted & same & (labels[one] != 0))):
            found = size[chosen]
            total[number] += len(found), found.sum(), (found**2).sum()
    return total


def _welch(border: np.ndarray, inside: np.ndarray) -> float:
    """The t statistic; 0 where there is nothing to compare."""
    if min(border[0], inside[0]) < 2:
        return 0.0
    means = [part[1] / part[0] for part in (border, inside)]
    spread = sum(max(part[2] / part[0] - mean**2, 0) / part[0] for part, mean in zip((border, inside), means))
    return float((means[0] - means[1]) / np.sqrt(spread)) if spread > 0 else 0.0
