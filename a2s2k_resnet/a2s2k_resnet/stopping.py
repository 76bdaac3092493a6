"""When training stops and whose epoch's weights are used. The rules decide; the trainer saves, restores and stops.

A rule is told, after every epoch, the losses of the validation mini-batches in the order they were evaluated, and
answers with an `Action`.

`LastBatchRule`, the release, as it is read here:
    - the monitored value is the loss of the last validation mini-batch alone (at most 16 shuffled pixels);
    - an epoch improves where it is below the best so far, as the first epoch does;
    - the first epoch of every streak without improvement keeps its weights: those of the worse epoch, not of the best.
      A streak begins anew after each improvement and overwrites what an earlier streak kept;
    - the `patience`-th epoch of a streak restores the kept weights and stops;
    - where the epochs run out before that, nothing is restored: the last epoch's weights are used.

`MeanLossRule`, for the paper's protocol:
    - the monitored value is the mean loss over all validation pixels;
    - an epoch that improves keeps its weights;
    - `patience` epochs in a row without improvement stop; the kept weights are restored then, and also where the
      epochs run out.

A loss that is not a number is no improvement. Where no epoch ever improved, `kept_epoch` of `MeanLossRule` is 0 and
there is nothing to restore.
"""

from typing import Any, Dict, NamedTuple, Sequence


class Action(NamedTuple):
    """keep: save this epoch's weights, in place of those kept before; stop: restore the kept weights and end."""

    keep: bool
    stop: bool


class _Rule:
    """What both rules share: the best value, the length of the streak, the epoch whose weights are kept."""

    restores_at_end = False  # restore the kept weights where the epochs run out

    def __init__(self, patience: int = 20) -> None:
        if patience < 1:
            raise ValueError("the patience must be at least one epoch, not %d" % patience)
        self.patience = patience
        self.best = float("inf")
        self.streak = 0  # epochs in a row without improvement
        self.kept_epoch = 0  # counted from 1; 0 before any was kept
        self.epoch = 0  # epochs observed

    def observe(self, losses: Sequence[float], sizes: Sequence[int]) -> Action:
        """The action after an epoch. losses: mean loss of each validation mini-batch; sizes: their pixels."""
        if not losses or len(losses) != len(sizes):
            raise ValueError("expected the losses and sizes of the validation mini-batches, one or more of each")
        self.epoch += 1
        value = self.monitored(losses, sizes)
        improved = value < self.best
        if improved:
            self.best, self.streak = value, 0
        else:
            self.streak += 1
        keep = self.keeps(improved)
        if keep:
            self.kept_epoch = self.epoch
        return Action(keep, self.exhausted)

    @property
    def exhausted(self) -> bool:
        """Whether the last epoch observed stops training."""
        return self.streak >= self.patience

    @property
    def restores(self) -> bool:
        """Whether the kept weights are used if training ends now; else the last epoch's are."""
        return self.kept_epoch > 0 and (self.exhausted or self.restores_at_end)

    @property
    def used_epoch(self) -> int:
        """The epoch whose weights are used if training ends now."""
        return self.kept_epoch if self.restores else self.epoch

    def monitored(self, losses: Sequence[float], sizes: Sequence[int]) -> float:
        """The value that is compared between epochs."""
        raise NotImplementedError

    def keeps(self, improved: bool) -> bool:
        """Whether this epoch's weights are kept."""
        raise NotImplementedError

    def state_dict(self) -> Dict[str, Any]:
        return {"best": self.best, "streak": self.streak, "kept_epoch": self.kept_epoch, "epoch": self.epoch}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.best, self.streak = float(state["best"]), int(state["streak"])
        self.kept_epoch, self.epoch = int(state["kept_epoch"]), int(state["epoch"])


class LastBatchRule(_Rule):
    """The release's rule."""

    def monitored(self, losses: Sequence[float], sizes: Sequence[int]) -> float:
        return float(losses[-1])

    def keeps(self, improved: bool) -> bool:
        return self.streak == 1


class MeanLossRule(_Rule):
    """The rule of the paper's protocol."""

    restores_at_end = True

    def monitored(self, losses: Sequence[float], sizes: Sequence[int]) -> float:
        return float(sum(loss * size for loss, size in zip(losses, sizes)) / sum(sizes))

    def keeps(self, improved: bool) -> bool:
        return improved


RULES = {"last_validation_batch": LastBatchRule, "mean_validation_loss": MeanLossRule}  # by what they monitor
