"""`predict`: a scene and a file of weights → the trained method → every pixel's class → maps."""

from pathlib import Path
from typing import Optional

from shared_data.errors import CheckpointError
from shared_data.runs.method import Method
from shared_data.runs.model_file import ModelFile, announce, check_bands, prediction_folder
from shared_data.runs.outputs import write_classified
from shared_data.runs.pixels import draw_pixels, resolve, unclassified_where_invalid
from shared_data.runs.probabilities import remove_probabilities, write_probabilities
from shared_data.runs.request import Outcome, Request
from shared_data.scenes.loading import LoadedScene, file_sha256, load_scene
from shared_data.splits.draws import Split


def model_of(weights: Path) -> Path:
    """The saved model in a run's folder; any other path as it is. Raises: CheckpointError for a folder without one."""
    if not weights.is_dir():
        return weights
    found = sorted(weights.glob("checkpoints/selected.*"))
    if len(found) != 1:
        raise CheckpointError(
            "%s: expected the folder of a finished run, with one file checkpoints/selected.*, found %d; name a run, or "
            "a file of weights." % (weights, len(found))
        )
    return found[0]


def predict(method: Method, request: Request, weights: Path, probabilities: bool = False) -> Outcome:
    """Classify every pixel of a scene, labelled or not, but for those that are not valid.

    A model that a run saved contains its configuration, fitted preprocessing and classes; the request's protocol, seed
    and overrides are ignored. For bare weights, such as a checkpoint of the release, those of the request and
    statistics of its scene are used.
    weights: a file, or the folder of a run.
    probabilities: whether to write those of all classes, too, as `runs.probabilities` says; those of an earlier
        prediction in the same folder are removed.
    Writes results/<paper>/<experiment>/predictions/<scene>-<name of the weights>-<hash>/.
    Raises: CheckpointError where the file cannot be read or does not fit; what the method raises.
    """
    weights = model_of(weights)
    bare = _Bare(method, request)
    fitted = method.load(weights, request.device, bare.model)
    if bare.loaded is not None:
        loaded, described = bare.loaded, None
    else:
        scene = method.scene_of(request.experiment)
        loaded, described = load_scene(scene, request.data, request.unverified, labelled=False), fitted.model
        check_bands(fitted.model, loaded.scene, weights)
    announce(described, request, weights)
    sha256 = file_sha256(weights)
    folder = prediction_folder(method.slug, request, loaded.scene, weights, sha256)
    tile = fitted.tile_for(loaded.image) if request.tile is None else request.tile
    fitted.title = "%s %s" % (method.slug, loaded.scene.slug)
    if probabilities:
        prediction = write_probabilities(folder, fitted, loaded.image, tile)
    else:
        remove_probabilities(folder)
        prediction = fitted.predict(loaded.image, tile)
    prediction = unclassified_where_invalid(prediction, loaded.image)
    file = {"name": weights.name, "sha256": sha256}
    return write_classified(folder, method.slug, file, prediction, loaded, described, bare.split)


class _Bare:
    """The model of a file that holds weights alone, from the request and its scene, loaded where it is asked for.

    split: the request's, of a scene with labels.
    """

    def __init__(self, method: Method, request: Request) -> None:
        self._method, self._request = method, request
        self.loaded: Optional[LoadedScene] = None
        self.split: Optional[Split] = None

    def model(self) -> ModelFile:
        """Raises: what `Method.resolve`, `draw` and `preprocess` raise."""
        method, seed = self._method, self._request.seed
        configuration, self.loaded = resolve(method, self._request, labelled=False)
        labels = None
        if self.loaded.is_labelled:
            draw = draw_pixels(method, self.loaded, configuration, seed)
            self.split, labels = draw.split, method.labels(draw, self.loaded.ground_truth)
        return method.preprocess(self.loaded.image, labels, configuration, seed)
