"""The history of a training: seconds of every step, and one entry per evaluation or epoch.

It is part of every checkpoint, so a resumed run reports the times and curves of the whole run.
"""

import math
import statistics
from typing import Any, Dict, List

from shared_data.errors import TrainingError


class History:
    """`seconds`: one per step, without evaluation; `entries`: dicts with `step` and plain numbers."""

    def __init__(self) -> None:
        self.seconds: List[float] = []
        self.entries: List[Dict[str, Any]] = []

    def add_step(self, seconds: float) -> None:
        self.seconds.append(float(seconds))

    def complete_steps(self, seconds: List[float]) -> None:
        """Put in the seconds of the latest steps, which were added as NaN because they were not known yet."""
        if seconds:
            self.seconds[-len(seconds) :] = [float(value) for value in seconds]

    def add_entry(self, step: int, **numbers: float) -> None:
        """Raises: TrainingError where the `loss` is not finite, so no result is made of a training that diverged.

        Numbers of a validation may be NaN: there may be nothing to validate on.
        """
        loss = numbers.get("loss", 0.0)
        if not math.isfinite(loss):
            raise TrainingError(
                "step %d: expected a finite loss, found %s: training diverged; lower the learning rate, or look at the "
                "values of the scene with `describe`." % (step, float(loss))
            )
        entry: Dict[str, Any] = {"step": int(step)}
        entry.update((name, float(value)) for name, value in numbers.items())
        self.entries.append(entry)

    def median_step(self) -> float:
        """Median seconds per step, 0 before the first."""
        return statistics.median(self.seconds) if self.seconds else 0.0

    def state_dict(self) -> Dict[str, Any]:
        return {"seconds": list(self.seconds), "entries": [dict(entry) for entry in self.entries]}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.seconds = list(state["seconds"])
        self.entries = [dict(entry) for entry in state["entries"]]
