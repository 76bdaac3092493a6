"""All experiments on one method, one after the other."""

import tempfile
from pathlib import Path
from typing import Optional

import numpy as np

from shared_data.audit.context import context_finding
from shared_data.audit.control import run_controls
from shared_data.audit.golden_splits import GoldenSplit
from shared_data.audit.labels import hidden_findings, validation_finding
from shared_data.audit.openings import openings_finding, traces_of_reads
from shared_data.audit.pixels import hidden_test_pixels
from shared_data.audit.spectra import altered_for_prediction, spectra_finding
from shared_data.audit.split import check_indices, split_finding
from shared_data.audit.tables import Audit
from shared_data.audit.trials import Trials
from shared_data.errors import SplitError
from shared_data.runs.method import Method
from shared_data.runs.request import Request


def examine(method: Method, request: Request) -> Audit:
    """The findings on a method's run. `request.iterations` limits the steps of each training; None trains to the end.

    Nothing is written but in a temporary folder.
    Raises: SplitError where no test pixel is there to be audited; SharedDataError; what the method raises; ValueError
    where it returns an array of a wrong shape, or no weights.
    """
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        return examine_trials(Trials(method, request, Path(scratch)))


def examine_trials(
    trials: Trials, finished: Optional[np.ndarray] = None, golden: Optional[GoldenSplit] = None
) -> Audit:
    """The same. finished: (H, W) classes of the finished run, for its accuracies. golden: the official split, as
    `find_golden` returns it.

    About ten trainings; where something is found, up to some forty more that tell what it is.
    """
    loaded, split = trials.loaded, trials.draw.split
    check_indices(split, loaded.ground_truth.size)
    if not hidden_test_pixels(loaded.ground_truth, split).size:
        raise SplitError("no labelled test pixel is neither trained nor validated on, so there is nothing to audit.")
    # what needs no training comes first, so that errors in the method's functions show at once
    about_split = split_finding(split, loaded.ground_truth, loaded.scene.num_classes, golden)
    about_context = context_finding(trials, finished)
    cube, free = altered_for_prediction(trials)
    trials.also = () if cube is None else (cube,)
    about_openings = openings_finding(trials)
    controls = run_controls(trials)
    hidden = hidden_findings(trials, traces_of_reads(trials), controls.traces)
    about_spectra = spectra_finding(trials, free, hidden.stages)
    findings = (
        hidden.test, hidden.gap, validation_finding(trials), about_spectra, controls.finding, about_openings,
        about_context, about_split,
    )  # fmt: skip
    return Audit(findings, trials.base.steps)
