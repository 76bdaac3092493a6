"""Train and predict on altered copies of a scene, always from the same seed, and keep what can be compared."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from shared_data.audit.reads import noted_reads
from shared_data.errors import SharedDataError
from shared_data.evaluation.weights import weights_sha256
from shared_data.runs.method import Draw, Method, Run, seal
from shared_data.runs.model_file import ModelFile
from shared_data.runs.pixels import draw_pixels, resolve, training_image
from shared_data.runs.request import Configuration, Request
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.loading import LoadedScene, SceneImage
from shared_data.splits.shared_protocols import is_shared


class World(NamedTuple):
    """A scene as the method gets it. cube: (H, W, B). truth: (H, W) labels. draw: the pixels."""

    cube: np.ndarray
    truth: np.ndarray
    draw: Draw


class Trial(NamedTuple):
    """The result of one training with its prediction.

    last, used: sha256 of the weights after the last step, and of those in use. selection: what determines which are
        used; shown: the numbers shown while training; both as JSON text.
    prediction: (H, W) classes of the world's own image, empty where it was not predicted; further: of other images.
    steps: that were trained. openings: (module, reason) of the sealed labels.
    reads_in_fit, reads_in_predict: what the method read by itself. weights: after the last step, by name.
    """

    last: str
    used: str
    selection: str
    shown: str
    prediction: np.ndarray
    further: Tuple[np.ndarray, ...]
    steps: int
    openings: Tuple[Tuple[str, str], ...]
    reads_in_fit: Tuple[str, ...]
    reads_in_predict: Tuple[str, ...]
    weights: Dict[str, np.ndarray]


TRAINING, SELECTION, PREDICTION = "training", "selection", "prediction"


def compare(one: Trial, other: Trial, where: Optional[np.ndarray] = None) -> Tuple[str, ...]:
    """The first stage at which two trials differ, as a tuple: TRAINING, SELECTION or PREDICTION; empty for none.

    All later stages follow from it. where: flat pixels whose predictions count; None for all.
    """
    if one.last != other.last:
        return (TRAINING,)
    if (one.used, one.selection) != (other.used, other.selection):
        return (SELECTION,)
    before, after = one.prediction, other.prediction
    if where is not None:
        before, after = before.ravel()[where], after.ravel()[where]
    return () if np.array_equal(before, after) else (PREDICTION,)


class Trials:
    """A method under one request: its configuration, its scene and pixels, and trainings on altered copies.

    The trainings write into `scratch` only, so that a real run cannot reuse results of an altered scene.
    Raises: what the method's `resolve` and `draw` raise.
    """

    def __init__(self, method: Method, request: Request, scratch: Path) -> None:
        self.method, self.request, self._scratch = method, request, Path(scratch)
        self.loaded: LoadedScene
        self.configuration, self.loaded = resolve(method, request)
        self.draw = draw_pixels(method, self.loaded, self.configuration, request.seed)
        self.world = World(self.loaded.cube, self.loaded.ground_truth, self.draw)
        self.also: Tuple[np.ndarray, ...] = ()  # cubes that the base predicts besides
        self._count = 0
        self._base: Optional[Trial] = None
        self._repeated: Optional[Trial] = None

    @property
    def base(self) -> Trial:
        """The training on the true scene."""
        if self._base is None:
            self._base = self.train(self.world, also=self.also)
        return self._base

    @property
    def repeated(self) -> Trial:
        """The same once more, to tell an influence from a method that never gives the same result twice."""
        if self._repeated is None:
            self._repeated = self.train(self.world)
        return self._repeated

    @property
    def repeats(self) -> bool:
        """Whether two trainings on the true scene give the same weights and predictions."""
        return not compare(self.base, self.repeated)

    def train(
        self, world: World, steps: Optional[int] = None, also: Sequence[np.ndarray] = (), predict: bool = True
    ) -> Trial:
        """Train in a world and predict its image, unless that is not asked for, because it may take long.

        steps: upper limit beside the request's. also: cubes to predict besides.

        Raises: SharedDataError where a signal stopped the training; ValueError for a prediction of a wrong shape, or a
        training without weights.
        """
        self._count += 1
        # derived data are computed anew in every training, or else some of the true scene could be found there
        run = Run(self._scratch / ("training-%d" % self._count), self.request.device)
        altered = self._altered(world)
        with _quiet():
            configuration, draw = self._given(altered, world.draw)
            labels, sealed = seal(self.method, configuration, draw, altered.ground_truth)
            image = training_image(altered, configuration, draw.split)
            limit: Dict[str, Any] = {} if steps is None else {"steps": steps}
            with noted_reads(altered) as while_training:
                fitted = self.method.fit(image, labels, configuration, self.request.seed, run, **limit)
            if fitted is None:
                raise SharedDataError("stopped; the audit wrote nothing, and the same command starts it over.")
            report = fitted.report
            assert report is not None  # `fit` always sets it
            with noted_reads(altered) as while_predicting:
                images = [altered.image] * predict
                # as scenes that nothing was fitted on, with all pixels valid: some are turned
                images += [SceneImage(altered.scene, np.array(each, order="K")) for each in also]
                maps = [_checked(fitted.predict(each), each.shape) for each in images]
        return Trial(
            last=weights_sha256(report.last_weights),
            used=weights_sha256(fitted.weights()),
            selection=_text(report.selection_state),
            shown=_text(report.history.entries),
            prediction=maps[0] if predict else np.zeros((0, 0), np.uint8),
            further=tuple(maps[1:]),
            steps=len(report.history.seconds),
            openings=tuple((opening["by"], opening["reason"]) for opening in sealed.openings),
            reads_in_fit=tuple(while_training),
            reads_in_predict=tuple(while_predicting),
            weights=dict(report.last_weights),
        )

    def preprocessed(self, world: World) -> ModelFile:
        """The fitted preprocessing in a world."""
        altered = self._altered(world)
        labels = self.method.labels(world.draw, altered.ground_truth)
        masked = training_image(altered, self.configuration, world.draw.split)
        with _quiet():
            return self.method.preprocess(masked, labels, self.configuration, self.request.seed)

    def inputs(self, model: ModelFile, cube: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """The network's inputs at flat pixels, surroundings left out."""
        with _quiet():
            image = self.loaded.image._replace(cube=cube.copy(order="K"))
            return np.array(self.method.inputs(model, image, pixels))

    def receptive_field(self, mask: np.ndarray) -> np.ndarray:
        """(H, W) bool, the pixels whose input holds a pixel of the mask. Raises: ValueError for another shape."""
        found = self.method.receptive_field(self.configuration, mask.copy())
        return _checked(found, mask.shape, "the receptive field").astype(bool)

    def _altered(self, world: World) -> LoadedScene:
        """The scene of a world, in arrays that the method may overwrite."""
        scene = recounted(self.loaded.scene, self.loaded.ground_truth, world.truth)
        return self.loaded._replace(scene=scene, cube=world.cube.copy(order="K"), ground_truth=world.truth.copy())

    def _given(self, altered: LoadedScene, draw: Draw) -> Tuple[Configuration, Draw]:
        """Configuration and draw in an altered world: the same pixels, and no true label in what belongs to the method.

        `resolve` and `draw` see the altered scene again, because a method may keep what it was given there.
        """
        shared, configuration = is_shared(self.configuration.protocol), self.configuration
        with noted_reads(altered), contextlib.suppress(SharedDataError):
            again, _ = self.method.resolve(self.request, True)
            configuration = again._replace(fold=configuration.fold, from_files=configuration.from_files)
            if draw.plan is None and not shared:
                self.method.draw(altered, configuration, self.request.seed)
        if shared:
            return configuration, self.method.draw_of_split(draw.split, altered, configuration)
        truth = self.loaded.ground_truth
        plan, facts = (_relabelled(each, truth, altered.ground_truth) for each in (draw.plan, draw.facts))
        return configuration, draw._replace(plan=plan, facts=facts)


def recounted(scene: Scene, truth: np.ndarray, altered: np.ndarray) -> Scene:
    """The scene's entry or description with its pixels per class, where stated, for other (H, W) labels than the true
    ones: they would tell of these.

    They change by as much as the labels do and are not counted, as a description's include pixels that are not valid.
    `labelled_pixels` stays, because no alteration changes the number of labels.
    """
    before, after = (np.bincount(labels.ravel(), minlength=scene.num_classes + 1)[1:] for labels in (truth, altered))
    more = [int(change) for change in after - before]
    if scene.class_counts is not None:
        counts = tuple(count + change for count, change in zip(scene.class_counts, more))
        scene = scene._replace(class_counts=counts)
    if scene.own is not None:
        classes = tuple(one._replace(pixels=one.pixels + change) for one, change in zip(scene.own.classes, more))
        scene = scene._replace(own=scene.own._replace(classes=classes))
    return scene


def _relabelled(plan: Any, truth: np.ndarray, altered: np.ndarray) -> Any:
    """A plan whose maps of labels hold the altered ones. Other maps, and arrays of other shapes, stay as they are."""
    if isinstance(plan, np.ndarray):
        known = plan != 0
        is_labels = plan.shape == truth.shape and plan.dtype.kind in "iu" and np.unique(plan[known]).size > 1
        if not (is_labels and np.array_equal(plan[known], truth[known])):
            return plan
        return np.where(known, altered, plan).astype(plan.dtype)
    if isinstance(plan, dict):
        return {name: _relabelled(value, truth, altered) for name, value in plan.items()}
    if isinstance(plan, tuple):
        values = [_relabelled(value, truth, altered) for value in plan]
        return type(plan)(*values) if hasattr(plan, "_fields") else tuple(values)
    return [_relabelled(value, truth, altered) for value in plan] if isinstance(plan, list) else plan


def _checked(found: np.ndarray, shape: Tuple[int, ...], name: str = "the prediction") -> np.ndarray:
    found = np.array(found)
    if found.shape != tuple(shape):
        raise ValueError("%s has the shape %s, the scene %s" % (name, found.shape, tuple(shape)))
    return found


def _text(values: Any) -> str:
    """JSON text; equal for equal values, also for numpy's and for NaN."""
    return json.dumps(values, sort_keys=True, default=lambda array: array.tolist())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what trainings print."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield
