"""Lists of bands, counted from 1, as people write them: 104-108,150."""

import re
from collections.abc import Iterator, Sequence

from shared_data.errors import SettingsError
from shared_data.quoting import one_line

BAD = "bad"  # those that the file's header calls so


def kept_bands(text: str | None, count: int, bad: Sequence[int]) -> tuple[int, ...] | None:
    """Indices, from 0, of the bands that a list of unwanted ones leaves; None where no list is given.

    count: of all bands. bad: those that the header of the file calls bad, counted from 1.
    Raises: SettingsError where the list cannot be read, names no band of the cube, or leaves none.
    """
    if text is None:
        return None
    dropped: set[int] = set()
    for part in text.replace(" ", "").split(","):
        if part == BAD:
            if not bad:
                raise SettingsError("--drop-bands bad: the header of the cube marks no band as bad; leave it out.")
            dropped.update(bad)
            continue
        found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= count:
            raise SettingsError(
                f"--drop-bands: expected bands 1 to {count}, such as 104-108,150, or 'bad', found '{one_line(part)}'."
            )
        dropped.update(range(first, last + 1))
    kept = tuple(band for band in range(count) if band + 1 not in dropped)
    if not kept:
        raise SettingsError(f"--drop-bands {one_line(text)}: no band is left; name fewer.")
    return kept


def as_ranges(bands: Sequence[int]) -> str:
    """104-108, 150."""
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in _ranges(bands))


def _ranges(bands: Sequence[int]) -> Iterator[tuple[int, int]]:
    ordered = sorted(bands)
    starts = [band for band in ordered if band - 1 not in bands]
    ends = [band for band in ordered if band + 1 not in bands]
    yield from zip(starts, ends)
