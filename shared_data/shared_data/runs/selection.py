"""Early stopping: the best evaluation so far, and how long ago it was."""

from typing import Any, Dict


class BestStep:
    """An evaluation is better where its value is strictly greater; after `patience` in a row that are not, it is over.

    patience: evaluations; 0 never ends.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.step, self.value, self.since = 0, float("-inf"), 0

    def offer(self, step: int, value: float) -> bool:
        """Take the evaluation of a step; True where it is the best so far."""
        if value > self.value:
            self.step, self.value, self.since = step, value, 0
            return True
        self.since += 1
        return False

    @property
    def exhausted(self) -> bool:
        return 0 < self.patience <= self.since

    def state_dict(self) -> Dict[str, Any]:
        return {"step": self.step, "value": self.value, "since": self.since}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.step, self.value, self.since = int(state["step"]), float(state["value"]), int(state["since"])
