"""Entry point of `python -m tools.demo`, which `make demo` calls."""

import argparse
import sys
import time
from typing import List, Optional, Tuple

from shared_data.cli.console import print_text, run_command
from shared_data.cli.run_options import add_options
from shared_data.report import write_report
from shared_data.scenes.loading import load_scene
from tools.demo.montage import write_montage
from tools.demo.runs import FOLD, SCENE, STEPS, limits, run_all
from tools.demo.table import as_text

_EXPLANATION = (
    """\
released: as the official program does it, flaws included. paper: from the text; both test pixels beside training
pixels. other fields: whole fields are tested, far from every training pixel (spatial-cv, fold %d). The baselines are
trained and tested on the pixels of the network beside them; one of them reads nothing but a pixel's place.
Training was cut short: these are not the accuracies that the networks reach, and no ranking of them.
"""
    % FOLD
)


def _paper(text: str) -> Tuple[str, str]:
    """An argparse type: slug=package."""
    slug, _, package = text.partition("=")
    if slug not in STEPS or not package:
        raise argparse.ArgumentTypeError("expected slug=package of one of %s, found '%s'" % (", ".join(STEPS), text))
    return slug, package


def main(words: Optional[List[str]] = None) -> int:
    """Run the demo; user errors print one line and exit with 1."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--paper", dest="papers", action="append", required=True, type=_paper, metavar="SLUG=PACKAGE")
    add_options(parser, "--device", "--out", "--verbose")
    arguments = parser.parse_args(words)
    return run_command(lambda: _demo(arguments))


def _demo(arguments: argparse.Namespace) -> int:
    began, out = time.monotonic(), arguments.out
    papers = [slug for slug, _ in arguments.papers]
    print_text(
        "The main job on a generated scene, shortened: optimizer steps limited (%s),\n"
        "and one of the five folds of spatial-cv. Two papers train at a time, and each run ends with a line; logs are\n"
        "in %s." % (limits(papers), out)
    )
    sys.stdout.flush()  # before the progress, which is written to another stream
    runs = run_all(dict(arguments.papers), arguments.device, out, arguments.verbose)
    picture = out / "montage.png"
    write_montage(picture, papers, runs, load_scene(SCENE))
    report = write_report([out], out / "report")
    print_text("\nOverall accuracy in %, steps limited:\n\n" + as_text(papers, runs) + "\n")
    print_text(_EXPLANATION)
    print_text("  %-8s %s" % ("picture", picture))
    print_text("  %-8s %s" % ("report", report))
    print_text("  %-8s %.0f s" % ("time", time.monotonic() - began))
    return 0


if __name__ == "__main__":
    sys.exit(main())
