"""Query each paper, in its own environment, for the settings that determine the results of its configurations.

The papers resolve their configurations with the code of a run, so the two cannot diverge. Loading a framework takes
seconds, so each paper is queried once.
"""

import json
import subprocess
from typing import Dict, List, Sequence

from shared_data.errors import SettingsError
from shared_data.quoting import one_line
from tools.matrix.jobs import Options, PaperSource, Told
from tools.matrix.runners import Runner


def ask(papers: Sequence[PaperSource], runner: Runner, experiments: List[str], options: Options) -> Dict[str, Told]:
    """The answer of each paper, by slug. Raises: SettingsError where the query fails, or the paper refuses the
    options."""
    started = []
    for paper in papers:
        command = runner.settings_command(paper, experiments, options)
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise SettingsError("%s cannot be asked for its settings: %s: %s; see RUNNER and 'make environments'."
                                % (paper.slug, command[0], error.strerror)) from error  # fmt: skip
        started.append((paper.slug, process))
    # an answer fits into a pipe's buffer, so that no process blocks until another's answer is read
    answers = [(slug, process.communicate(), process.returncode) for slug, process in started]
    return {slug: _told(slug, *outputs, code=code) for slug, outputs, code in answers}


def _told(slug: str, output: bytes, complaint: bytes, code: int) -> Told:
    try:
        answer = json.loads(output.decode().strip().splitlines()[-1])
        return Told(answer["experiments"], answer["protocols"], answer["settings"], answer["errors"])
    except (ValueError, LookupError, TypeError) as error:
        lines = complaint.decode(errors="replace").strip().splitlines()
        reason = one_line(lines[-1]) if lines else "code %d" % code
        raise SettingsError("%s cannot say its settings: %s." % (slug, reason.rstrip("."))) from error
