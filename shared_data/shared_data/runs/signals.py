"""SIGINT and SIGTERM ask a run to stop after the current step; its state is saved and it can be resumed."""

import contextlib
import signal
from typing import Any, Callable, Dict, Iterator


@contextlib.contextmanager
def stop_on_signals(request_stop: Callable[[str], None]) -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM calls request_stop(reason); a second one acts as usual."""
    previous: Dict[signal.Signals, Any] = {}

    def handle(number: int, _frame: object) -> None:
        request_stop("received %s" % signal.Signals(number).name)
        for which, handler in previous.items():
            signal.signal(which, handler)

    for which in (signal.SIGINT, signal.SIGTERM):
        previous[which] = signal.signal(which, handle)
    try:
        yield
    finally:
        for which, handler in previous.items():
            signal.signal(which, handler)
