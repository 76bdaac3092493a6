"""Locate patches of raw numbers in the scene that they were cut from."""

from typing import Dict, List, Tuple

import numpy as np


class PatchFinder:
    """Finds the places of patches in a scene (H, W, B); an index of the scene is computed once."""

    def __init__(self, cube: np.ndarray) -> None:
        self._cube = np.ascontiguousarray(cube)
        self._places: Dict[bytes, List[Tuple[int, int]]] = {}
        for row, spectra in enumerate(self._cube):
            for column, spectrum in enumerate(spectra):
                self._places.setdefault(spectrum.tobytes(), []).append((row, column))

    def find(self, patches: np.ndarray) -> np.ndarray:
        """(N, 2) top-left corners of (N, b, b, B) patches, of any dtype that holds the scene's numbers.

        Raises: ValueError with the number of the first patch that is at no place of the scene, or at several.
        """
        places = [self._find_one(number, patch) for number, patch in enumerate(patches)]
        return np.array(places, np.int64).reshape(-1, 2)

    def _find_one(self, number: int, patch: np.ndarray) -> Tuple[int, int]:
        first = patch[0, 0].astype(self._cube.dtype).tobytes()
        found = [place for place in self._places.get(first, []) if self._is_at(place, patch)]
        if len(found) != 1:
            raise ValueError("patch %d is at %s of the scene" % (number, "no place" if not found else "several places"))
        return found[0]

    def _is_at(self, place: Tuple[int, int], patch: np.ndarray) -> bool:
        (row, column), (height, width) = place, patch.shape[:2]
        return np.array_equal(self._cube[row : row + height, column : column + width], patch)
