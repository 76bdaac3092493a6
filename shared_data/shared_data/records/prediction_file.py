"""prediction.json: what the numbers of a `predict` run's prediction.npy mean. A run's own prediction has its record."""

import json
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Tuple

import jsonschema

from shared_data.configuration.schema import Validator, load_schema
from shared_data.errors import RecordError
from shared_data.files.atomic import write_text
from shared_data.files.plain import read_text
from shared_data.quoting import one_line
from shared_data.records.record_scene import described, georeference_of
from shared_data.scenes.catalogue import Georeference, Scene

NAME = "prediction.json"
_SCHEMA = load_schema(Path(__file__).with_name("prediction.schema.json"))
_LARGEST = 10**6  # bytes; a real one has a few thousand


class Prediction(NamedTuple):
    """The scene of a prediction, and its classes: number k in 1..K has the name `class_names[k - 1]` and the colour
    `palette[k - 1]` ("#rrggbb"). height, width: pixels."""

    paper: str
    scene: str
    title: str
    height: int
    width: int
    class_names: Tuple[str, ...]
    palette: Tuple[str, ...]
    georeference: Optional[Georeference] = None


def write_prediction_file(folder: Path, paper: str, scene: Scene, weights: Dict[str, str]) -> None:
    """Describe the prediction of a scene, whose classes are the model's.

    weights: name and SHA-256 of the file that predicted. Raises: OSError.
    """
    content = dict(described(scene), paper=paper, scene=scene.slug, weights=weights)
    write_text(folder / NAME, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_prediction_file(folder: Path) -> Prediction:
    """What `write_prediction_file` wrote. Raises: RecordError with the path of a file that is missing or damaged."""
    path = folder / NAME
    try:
        content = json.loads(read_text(path, _LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError("%s cannot be read (%s); predict the scene again." % (path, one_line(error))) from error
    wrong = jsonschema.exceptions.best_match(Validator(_SCHEMA).iter_errors(content))
    if wrong is not None:
        place = "/".join(str(part) for part in wrong.absolute_path) or "top level"
        raise RecordError(
            "%s: at %s: %s; predict the scene again." % (path, one_line(place), one_line(wrong.message, 300))
        )
    return Prediction(
        paper=content["paper"],
        scene=content["scene"],
        title=content["title"],
        height=content["height"],
        width=content["width"],
        class_names=tuple(one["name"] for one in content["classes"]),
        palette=tuple(one["colour"] for one in content["classes"]),
        georeference=georeference_of(content),
    )
