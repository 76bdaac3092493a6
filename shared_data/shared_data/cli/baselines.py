"""Runs of baselines, for the command `reference` and for every paper's command `baselines`."""

import argparse
import sys
from typing import Any, Optional

from shared_data.audit.run import audit_run
from shared_data.cli.console import STOPPED, print_metrics
from shared_data.cli.run_options import request_of
from shared_data.configuration.overrides import check_name
from shared_data.errors import SharedDataError
from shared_data.runs.cross_validation import reproduce_all
from shared_data.runs.method import Method


def add_method_option(parser: argparse.ArgumentParser) -> None:
    """The options --method and --audit, for `run_baselines`."""
    parser.add_argument("--audit", action="store_true", help="find out, too, which labels and spectra they use; of a "
                        "cross-validation in its first fold")  # fmt: skip
    parser.add_argument("--method", nargs="+", help="svm, rf, lr, 1nn, each also as svm-5x5 ..., and 1nn-position "
                        "(default: all)")  # fmt: skip


def run_baselines(arguments: argparse.Namespace, experiment: str, protocol: str, paper: Optional[Method] = None) -> int:
    """Run the baselines of the options for every seed, and print their accuracies; the exit code.

    experiment: a scene or, with `paper`, one of its experiments; protocol: a shared one or, with `paper`, one of its
    own, whose pixels are used.
    """
    baselines = _baselines()
    chosen = arguments.method or list(baselines.METHODS)
    for slug in chosen:
        check_name("baseline", slug, baselines.METHODS)
    name = baselines.protocol_on(paper.slug, protocol) if paper else protocol
    for seed in arguments.seeds or [arguments.seed]:
        request = request_of(arguments, experiment, name, seed)._replace(device="cpu")
        for slug in chosen:
            method = baselines.on_pixels_of(paper, slug) if paper else baselines.METHODS[slug]
            if arguments.audit:  # first, so that the records hold the verdicts
                print("%s, audit: %s" % (slug, audit_run(method, request).verdict), flush=True)
            outcome = reproduce_all(method, request)
            if outcome.record is None:
                print("stopped; the same command starts the run in %s over" % outcome.directory, file=sys.stderr)
                return STOPPED
            print_metrics(outcome.record)
            print("  %s" % (outcome.directory / "run.json"))
    return 0


def _baselines() -> Any:
    """The module, with scikit-learn, which is not loaded for other commands. Raises: SharedDataError."""
    try:
        from shared_data.comparison.baselines import methods
    except ImportError as error:  # the scikit-learn of two papers' time does without threadpoolctl
        raise SharedDataError(
            "the baselines cannot run in this environment: %s; run them in the current one (VARIANT=modern)." % error
        ) from error
    return methods
