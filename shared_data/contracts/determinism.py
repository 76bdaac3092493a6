"""The same seed gives the same bits, at any time and under any load."""

import os
import subprocess

from contracts.faults import note
from contracts.interruption import command, result_of
from contracts.marks import LONG
from shared_data.runs.environment import usable_cores

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def run(paper, out, threads):
    """Run in a separate process with this number of threads; return the results that must be equal."""
    environment = dict(os.environ, **dict.fromkeys(THREADS, str(threads)))
    subprocess.run(command(paper, out), check=True, stdout=subprocess.DEVNULL, env=environment)
    return result_of(paper, out)


class Determinism:
    """The same run again; for the fixture `paper`."""

    @LONG
    def test_the_same_seed_twice_gives_the_same_weights_and_map(self, paper, tmp_path):
        cores = usable_cores()
        first, again = run(paper, tmp_path / "first", cores), run(paper, tmp_path / "again", cores)
        assert first is not None and first == again
        alone = run(paper, tmp_path / "alone", 1)
        threads = "the same" if alone == first else "others"
        told = "same weights (%s...) and map; with 1 instead of %d threads: %s"
        outcome = told % (first[3]["used"][:12], cores, threads)
        note("same seed twice", paper.slug, 2, outcome)
