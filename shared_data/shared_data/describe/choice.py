"""Which array of a file is meant: the only one that fits, or the one that the user names."""

from collections.abc import Callable

from shared_data.describe.arrays import Source, by
from shared_data.errors import SceneFormatError, SettingsError
from shared_data.quoting import one_line

Shape = tuple[int, ...]


def choose(source: Source, key: str | None, option: str, fits: Callable[[Shape], bool], wanted: str) -> str:
    """The name of the array. key: named by the user with this option. fits: whether a shape can be the one wanted.

    Raises: SettingsError where several arrays fit, or none has the name; SceneFormatError where none fits.
    """
    listed = ", ".join(f"'{one_line(name, 80)}' {by(shape)}" for name, shape in source.shapes.items()) or "none"
    if key is not None:
        return _named(source, key.strip("/"), option, listed)
    fitting = [name for name, shape in source.shapes.items() if fits(shape)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        if not source.shapes:
            raise SceneFormatError(
                f"{source.path}: expected {wanted}, found no array of real numbers; complex numbers, structures, "
                "cells, sparse matrices and texts are not read: save the array by itself, as real numbers (names of "
                "classes numbered from 1)."
            )
        raise SceneFormatError(f"{source.path}: expected {wanted}, found these arrays of real numbers: {listed}.")
    raise SettingsError(
        f"{source.path}: several arrays can be {wanted}: {one_line(', '.join(fitting), 400)}; choose one with {option} "
        f"(all: {listed})."
    )


def _named(source: Source, key: str, option: str, listed: str) -> str:
    if not source.named:
        raise SettingsError(f"{source.path}: a {source.kind} holds one array, which has no name; leave out {option}.")
    if key not in source.shapes:
        raise SettingsError(
            f"{source.path}: there is no array of real numbers named '{one_line(key)}' ({option}); there are: {listed}."
        )
    return key


def without_single(shape: Shape) -> Shape:
    """A shape without axes of length 1."""
    return tuple(side for side in shape if side != 1)
