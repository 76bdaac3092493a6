"""The part of a saved model beside its weights: everything that predicting needs, as JSON text and arrays.

A paper's checkpoint writer stores the items of `as_content` beside the weights, in the format of its framework, and
hands them to `from_content` when it reads the file. Files without them (official checkpoints, selected weights of older
versions) are bare weights: configuration and statistics are then those of the request and its scene.

Weights are dicts of named arrays or tensors; nothing here needs a framework.
"""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import jsonschema
import numpy as np

from shared_data.configuration.schema import Validator, load_schema
from shared_data.errors import CheckpointError
from shared_data.quoting import one_line
from shared_data.runs.request import Configuration, Request
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.loading import SceneImage
from shared_data.splits.shared_protocols import is_shared, protocols_of

FORMAT_VERSION = 1  # increase it with every change that an older reader would misinterpret
DESCRIPTION, ARRAYS, TRAINED = "description", "arrays", "trained"  # items of a file's content
_SCHEMA = load_schema(Path(__file__).with_name("model_file.schema.json"))
_LONGEST = 1 << 20  # characters of a description; those of the papers have about 2,000
_WRAPPERS = ("run", "model", "state_dict")  # items that hold the weights in checkpoints of trainers
_DEEPEST = 4  # wrappers in wrappers
_PREFIX = "module."  # of names saved from a parallel wrapper
_SHOWN = 3  # names in a message


class ModelFile(NamedTuple):
    """All that predicting needs, beside the weights.

    paper: slug. experiment, protocol, scene: of the run. bands: of the scene. class_names, palette: of class 1..K.
    config: resolved configuration, JSON values. arrays: fitted preprocessing by name, finite numbers.
    trained: flat C-order indices (n) int64 of the scene's pixels that trained or validated.
    """

    paper: str
    experiment: str
    protocol: str
    scene: str
    bands: int
    class_names: Tuple[str, ...]
    palette: Tuple[str, ...]
    config: Dict[str, Any]
    arrays: Dict[str, np.ndarray]
    trained: np.ndarray

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)


def describe_model(
    paper: str,
    configuration: Configuration,
    image: SceneImage,
    labels: Any,
    arrays: Mapping[str, np.ndarray],
) -> ModelFile:
    """The model of a run.

    labels: hold `train_pixels` and `val_pixels`; None for a scene without. arrays: of the fitted preprocessing.
    """
    scene = image.scene
    pixels = np.empty(0, np.int64) if labels is None else np.concatenate([labels.train_pixels, labels.val_pixels])
    return ModelFile(
        paper, configuration.experiment, configuration.protocol, scene.slug, scene.bands, tuple(scene.class_names),
        tuple(scene.palette), configuration.settings, dict(arrays), np.sort(pixels).astype(np.int64),
    )  # fmt: skip


def as_content(model: ModelFile) -> Dict[str, Any]:
    """The items that a checkpoint stores beside the weights: `description` (JSON text), `arrays` (by name) and
    `trained`."""
    described = {name: value for name, value in model._asdict().items() if name not in (ARRAYS, TRAINED)}
    text = json.dumps(dict(described, format_version=FORMAT_VERSION), allow_nan=False)
    return {DESCRIPTION: text, ARRAYS: model.arrays, TRAINED: model.trained}


def from_content(content: Mapping[str, Any], path: Any) -> Optional[ModelFile]:
    """The inverse of `as_content`, every item checked; None where there is no description: bare weights.

    content: of an untrusted file, arrays as numpy arrays. path: the file, for messages. The configuration itself is
    checked by the paper, by its own schema.
    Raises: CheckpointError naming the file and what is wrong with its description.
    """
    if DESCRIPTION not in content:
        return None
    try:
        return _parsed(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            "%s: its description is damaged (%s); give another file." % (path, one_line(error))
        ) from error


def _parsed(content: Mapping[str, Any]) -> ModelFile:
    text, arrays, trained = (content.get(name) for name in (DESCRIPTION, ARRAYS, TRAINED))
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError("expected JSON text of at most %d characters" % _LONGEST)
    described = json.loads(text, parse_constant=_no_number)
    version = described.get("format_version") if isinstance(described, dict) else None
    if type(version) is int and version != FORMAT_VERSION:
        raise ValueError("its format has version %d, this program reads %d" % (version, FORMAT_VERSION))
    error = jsonschema.exceptions.best_match(Validator(_SCHEMA).iter_errors(described))
    if error is not None:
        raise ValueError("%s: %s" % (".".join(map(str, error.absolute_path)) or "description", error.message))
    if len(described["palette"]) != len(described["class_names"]):
        raise ValueError("expected a colour per class")
    if not isinstance(arrays, dict):
        raise ValueError("expected arrays by name")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise ValueError("'%s' is no array of finite numbers" % one_line(name, 40))
    if not isinstance(trained, np.ndarray) or trained.dtype != np.int64 or trained.ndim != 1 or (trained < 0).any():
        raise ValueError("'%s' is no list of pixels" % TRAINED)
    del described["format_version"]
    names, palette = (tuple(described.pop(name)) for name in ("class_names", "palette"))
    return ModelFile(class_names=names, palette=palette, arrays=dict(arrays), trained=trained, **described)


def _no_number(text: str) -> float:
    raise ValueError("%s is no number of a description" % text)


def checked_array(arrays: Mapping[str, np.ndarray], name: str, shape: Sequence[Optional[int]]) -> np.ndarray:
    """An array of a model's preprocessing. shape: its sides, None for any.

    Raises: ValueError where it is missing or has another shape; `from_content` has checked its numbers.
    """
    found = arrays.get(name)
    if found is None:
        raise ValueError("the array '%s' is missing" % name)
    if found.ndim != len(shape) or any(side not in (None, has) for side, has in zip(shape, found.shape)):
        sides = ", ".join("any" if side is None else str(side) for side in shape)
        raise ValueError("the array '%s' has the shape %s, not (%s)" % (name, found.shape, sides))
    return found


def check_paper(model: ModelFile, paper: str, path: Any) -> None:
    """Raises: CheckpointError where another paper's run has written the file."""
    if model.paper != paper:
        raise CheckpointError(
            "%s is a model of the paper %s, not of %s; predict with that paper's command." % (path, model.paper, paper)
        )


def check_protocol(model: ModelFile, known: Iterable[str], path: Any) -> None:
    """Raises: CheckpointError where the paper has no protocol of the model's name."""
    if not (is_shared(model.protocol) or model.protocol in known):
        raise CheckpointError(
            "%s was trained under the protocol '%s', which is unknown here; there are: %s."
            % (path, model.protocol, ", ".join(protocols_of(known)))
        )


def check_bands(model: ModelFile, scene: Scene, path: Any) -> None:
    """Raises: CheckpointError where a scene has another number of bands than the model."""
    if model.bands != scene.bands:
        raise CheckpointError(
            "%s was trained on the %d bands of %s, but %s has %d bands; give a model or a scene with as many."
            % (path, model.bands, model.scene, scene.slug, scene.bands)
        )


def announce(model: Optional[ModelFile], request: Request, path: Any) -> None:
    """Print one sentence: the source of a prediction's configuration and statistics."""
    if model is None:
        print(
            "%s holds weights alone: the configuration is that of %s under --protocol %s, the statistics of "
            "preprocessing are those of its scene, seed %d."
            % (path, request.experiment, request.protocol, request.seed)
        )
    else:
        ignored = "; --set is not applied" if request.overrides else ""
        print(
            "%s is a model of %s under --protocol %s: configuration and statistics of preprocessing are its own%s."
            % (path, model.experiment, model.protocol, ignored)
        )


def prediction_folder(paper: str, request: Request, scene: Scene, weights: Path, sha256: str) -> Path:
    """results/<paper>/<experiment>/predictions/<scene>-<stem>-<first 8 hexadecimal digits of the file's SHA-256>."""
    name = "%s-%s-%s" % (scene.slug, weights.stem, sha256[:8])
    return request.out / paper / request.experiment / "predictions" / name


def unwrapped(content: Mapping[str, Any]) -> Dict[str, Any]:
    """The weights in the content of a checkpoint, by name: without the dicts that trainers put around them (`run`,
    `model`, `state_dict`), and without the prefix `module.` where every name has it."""
    for _ in range(_DEEPEST):
        inner = next((content[name] for name in _WRAPPERS if isinstance(content.get(name), dict)), None)
        if inner is None:
            break
        content = inner
    if content and all(str(name).startswith(_PREFIX) for name in content):
        return {str(name)[len(_PREFIX) :]: value for name, value in content.items()}
    return dict(content)


def mismatch(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """How weights differ from a network's: counts and first names, "" where they do not.

    expected, found: objects with a `shape`, by name.
    """
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    reshaped = [
        "%s of shape %s instead of %s" % (name, _shape(found[name]), _shape(value))
        for name, value in expected.items()
        if name in found and _shape(found[name]) != _shape(value)
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    return "; ".join("%d %s (%s)" % (len(names), kind, _first(names)) for kind, names in kinds if names)


def _shape(value: Any) -> Any:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else tuple(shape)


def _first(names: List[Any]) -> str:
    return ", ".join(one_line(name, 120) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
