"""Shared by both command lines: errors as one sentence, and output in whatever encoding the terminal or pipe has."""

import os
import sys
from typing import Any, Callable, Dict, Tuple, Type

from shared_data.errors import SharedDataError

STOPPED = 143  # exit code of a run that a signal stopped after saving its state
INTERRUPTED = 130  # the exit code that a shell reports after Ctrl-C


def run_command(command: Callable[[], int], errors: Tuple[Type[Exception], ...] = ()) -> int:
    """The command's exit code; a SharedDataError, or one of `errors`, is printed as one sentence and gives 1."""
    meant_for_users: Tuple[Type[Exception], ...] = (SharedDataError, *errors)
    try:
        code = command()
        sys.stdout.flush()  # raises a closed pipe here, not when the interpreter exits
        return code
    except meant_for_users as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from what was saved", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def print_text(text: str) -> None:
    """Print; characters that the output's encoding lacks (ASCII in the C locale of Python 3.6) become '?'."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def print_metrics(record: Dict[str, Any]) -> None:
    """OA, AA and kappa of a record as one line."""
    metrics = record["metrics"]
    fold = ", fold %d" % record["fold"] if "fold" in record else ""
    print(
        "%s %s, protocol %s, seed %d%s: OA %.2f %%, AA %.2f %%, kappa %.4f (%d test pixels)"
        % (record["paper"], record["experiment"], record["protocol"], record["seed"], fold, 100 * metrics["oa"],
           100 * metrics["aa"], metrics["kappa"], record["split"]["test"]["size"])
    )  # fmt: skip
