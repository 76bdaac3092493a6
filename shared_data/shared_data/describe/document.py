"""The description of a scene as TOML; what runs read (shared_data.scenes.own)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared_data.describe.labels import LabelClass
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Georeference

_LONGEST_TEXT = 200  # of the schema


@dataclass(frozen=True)
class DescribedFile:
    """A file of the scene, as own.schema.json says. source, source_sha256: of the file it is a copy of, or None."""

    file: str
    key: str | None
    dtype: str
    content_sha256: str
    source: str | None
    source_sha256: str | None


@dataclass(frozen=True)
class Document:
    """All of a description. ground_truth is None, and classes and unlabelled are empty, without labels."""

    comment: str
    name: str
    shape: tuple[int, ...]
    ignore_values: Sequence[float]
    cube: DescribedFile
    ground_truth: DescribedFile | None
    unlabelled: Sequence[int]
    classes: Sequence[LabelClass]
    georeference: Georeference | None


def as_toml(document: Document) -> str:
    """The text of the file."""
    lines = [
        f"# {one_line(document.comment, 1000)}",
        "# The title, values to ignore, labels that mean no class, and names and colours of classes may be edited;",
        "# the files are checked at every run.",
        f"name = {_text(document.name)}",
        f"title = {_text(document.name)}",
        *(f"{key} = {length}" for key, length in zip(("height", "width", "bands"), document.shape)),
    ]
    if document.ignore_values:
        lines.append(f"ignore_values = {_list(document.ignore_values)}  # a pixel with one of them takes no part")
    lines += ["", "[cube]", *_file(document.cube)]
    if document.ground_truth is not None:
        lines += ["", "[ground_truth]", *_file(document.ground_truth)]
        lines += ["", "[labels]", f"unlabelled = {_list(document.unlabelled)}"]
        for one in document.classes:
            lines += ["", "[[classes]]", f"label = {one.label}", f"name = {_text(one.name)}", f"pixels = {one.pixels}"]
            lines += [f"colour = {_text(one.colour)}"] if one.colour else []
    if document.georeference is not None:
        crs, transform = document.georeference
        lines += ["", "[georeference]", f"crs = {_text(crs)}"]
        lines.append(f"transform = {_list([float(number) for number in transform])}")
    return "\n".join(lines) + "\n"


def _file(file: DescribedFile) -> list[str]:
    entries = vars(file)
    if file.source is not None and len(file.source) > _LONGEST_TEXT:
        entries = {**entries, "source": None, "source_sha256": None}  # the copy is checked all the same
    return [f"{key} = {_text(value)}" for key, value in entries.items() if value is not None]


def _text(text: str) -> str:
    """A string of JSON is one of TOML, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(numbers: Sequence[float]) -> str:
    return "[" + ", ".join(map(repr, numbers)) + "]"
