"""One run of any method, from start to record: lock its directory, resume or train, evaluate once, write.

Locks, full disks, stop signals and finished directories are handled here, alike for every paper. The sealed labels are
opened here, once, after training.
"""

import errno
import math
import time
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

from shared_data.errors import RunDirectoryError
from shared_data.evaluation.weights import weights_sha256
from shared_data.files.atomic import REFUSALS
from shared_data.records.audit_file import read_audit
from shared_data.runs import environment
from shared_data.runs.directory import RunDirectory
from shared_data.runs.generic import announce
from shared_data.runs.method import Fitted, Method, Report, Run, seal
from shared_data.runs.outputs import Results, finish_run
from shared_data.runs.pixels import context_of, draw_pixels, resolve, training_image, unclassified_where_invalid
from shared_data.runs.request import Configuration, Outcome, Request, run_directory_of
from shared_data.scenes.loading import LoadedScene, SceneImage
from shared_data.splits.labels import SealedTruth
from shared_data.splits.shared_protocols import check_fold, rule_of

# keys that end a training, where a configuration has them
_LIMITS = ("train.num_iters", "train.epochs")


def settings_of(configuration: Configuration, seed: int, loaded: LoadedScene) -> Dict[str, Any]:
    """The values that determine a run's result; a run directory is resumed only with equal ones."""
    settings: Dict[str, Any] = {
        "config": configuration.settings,
        "protocol": configuration.protocol,
        "seed": seed,
        "data": {file.name: file.identity for file in loaded.files},
    }
    further = {"fold": configuration.fold, "rule": rule_of(configuration.protocol)}
    return dict(settings, **{name: value for name, value in further.items() if value is not None})


def modifications(config: Dict[str, Any], packaged: Dict[str, Any]) -> Tuple[str, ...]:
    """Dotted keys, sorted, whose values differ between two configurations, or that one of them lacks."""
    ours, theirs = _dotted(config), _dotted(packaged)
    return tuple(sorted(key for key in set(ours) | set(theirs) if ours.get(key) != theirs.get(key)))


def is_truncated(config: Dict[str, Any], packaged: Dict[str, Any]) -> bool:
    """Whether a configuration allows fewer iterations or epochs than the packaged one; 0 or no number is no limit."""
    ours, theirs = _dotted(config), _dotted(packaged)
    return any((ours.get(key) or math.inf) < (theirs.get(key) or math.inf) for key in _LIMITS)


def _dotted(values: Dict[str, Any], above: str = "") -> Dict[str, Any]:
    """A nested configuration on one level, lists as they come out of JSON."""
    flat: Dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_dotted(value, above + name + "."))
        else:
            flat[above + name] = list(value) if isinstance(value, tuple) else value
    return flat


def reproduce(method: Method, request: Request) -> Outcome:
    """Run, or resume, or report a finished run; of a cross-validation the request's fold. The record is None where a
    signal stopped it.

    Where the request asks for the settings alone, nothing is read from the run's directory or written to it.

    Raises: RunDirectoryError where the directory is taken, holds another run or cannot be written, or a file cannot be
    used; what the method raises.
    """
    configuration, loaded = resolve(method, request)
    folder, settings = run_directory_of(method.slug, request), settings_of(configuration, request.seed, loaded)
    if request.settings_alone:
        return Outcome(folder, None, settings)
    check_fold(request.protocol, request.fold)
    with RunDirectory(folder, settings, request.force) as directory:
        finished = directory.record()
        if finished is not None:
            print("%s is finished already; --force or FORCE=1 runs it again" % folder)
            return Outcome(folder, finished)
        announce(configuration)
        read_audit(folder)  # an unreadable one must fail now, not after hours of training
        try:
            return Outcome(folder, _train_and_evaluate(method, request, configuration, loaded, directory))
        except OSError as error:
            raise RunDirectoryError(_sentence(folder, error)) from error


def _sentence(folder: Path, error: OSError) -> str:
    """What a run's user should know of an error of the system: the disk refused a write, or a file cannot be used."""
    reason = error.strerror or error
    if error.errno in (*REFUSALS, errno.EACCES):
        return (
            "%s cannot be written: %s. The checkpoints written before are intact; the same command resumes the run."
            % (folder, reason)
        )
    return "%s: %s; the same command resumes the run." % (error.filename or folder, reason)


def _train_and_evaluate(
    method: Method, request: Request, configuration: Configuration, loaded: LoadedScene, directory: RunDirectory
) -> Any:
    """The record; None where a signal stopped the training."""
    draw = draw_pixels(method, loaded, configuration, request.seed)
    labels, truth = seal(method, configuration, draw, loaded.ground_truth)
    surroundings = method.environment(request.device)

    def begin() -> None:
        directory.begin({"environment": surroundings, "revision": environment.revision()})

    title = "%s %s seed %d" % (method.slug, request.protocol, request.seed)
    title += "" if request.fold is None else " fold %d" % request.fold
    run = Run(directory.path, request.device, request.out / method.slug, begin, title, request.verbose)
    image = training_image(loaded, configuration, draw.split)
    fitted = method.fit(image, labels, configuration, request.seed, run)
    if fitted is None:
        return None
    assert fitted.report is not None  # `fit` always sets it
    checkpoints = directory.path / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    fitted.save(checkpoints / ("selected" + fitted.SUFFIX))
    del image  # where it is a copy, its memory is needed
    evaluated = _evaluate(loaded.image, truth, fitted, fitted.report)
    results = Results(
        split=draw.split,
        decisions=configuration.described,
        environment=surroundings,
        context=context_of(method, configuration, draw.split, loaded.ground_truth),
        memory={"peak_rss_mb": environment.peak_memory_mb(), "peak_gpu_mb": method.peak_gpu_mb(request.device)},
        **evaluated,
    )
    results = results._replace(audit=dict(draw.facts, **results.audit))
    weights = {"last": weights_sha256(fitted.report.last_weights), "used": weights_sha256(fitted.weights())}
    changed = modifications(configuration.settings, configuration.packaged)
    truncated = is_truncated(configuration.settings, configuration.packaged)
    return finish_run(
        directory, method.slug, request, loaded, configuration.settings, results, weights, changed, truncated
    )


def _evaluate(image: SceneImage, truth: SealedTruth, fitted: Fitted, report: Report) -> Dict[str, Any]:
    """Predict every pixel, then open the truth: the parts of `Results` that come from it and from the training."""
    start = time.perf_counter()
    prediction = np.array(fitted.predict(image))  # a copy, which the method can no longer change
    prediction = unclassified_where_invalid(prediction, image)
    prediction.setflags(write=False)
    evaluation_s = time.perf_counter() - start
    truth.training_is_over()
    opened = truth.open(__name__, "final evaluation")
    further = fitted.report_further(image, opened, prediction)  # may complete the history
    seconds = report.history.seconds
    return {
        "prediction": prediction,
        "truth": opened,
        "openings": truth.openings,
        "history": report.history,
        "selection": report.selection,
        "times": {"train_s": sum(seconds), "step_s": report.history.median_step(), "evaluation_s": evaluation_s},
        "extra_metrics": further.metrics,
        "audit": further.audit,
    }
