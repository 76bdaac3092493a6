"""Early stopping: when training stops, and which epoch's weights are used. Rules decide; the trainer carries it out.

After every epoch a rule receives the losses of the validation mini-batches, in order of evaluation, and returns an
`Action`.

`LastBatchRule`, the release:
    - the monitored value is the loss of the last validation mini-batch alone (at most 16 shuffled pixels);
    - an epoch is worse if the previous value is less than its own. An equal loss is not worse, so a validation loss
      that stays at 0 never stops the training;
    - the first epoch of every streak of worse epochs keeps its weights: those of the worse epoch, not of the best. A
      new streak begins after each epoch that is not worse, and overwrites the weights of an earlier streak;
    - the `patience`-th epoch of a streak restores the kept weights and stops;
    - if the maximum number of epochs comes first, nothing is restored: the last epoch's weights are used.
  Known of the release: it compares the newest loss with the previous one by `<`; it acts if the loss rises above the
  best so far; it never stops on repeated zeros; NaN and first losses above 100 pass through the same comparison. Our
  interpretation:
    - "the previous one" is the last loss that was not worse: a worse one does not replace it, so it is the lowest so
      far (without NaN). Otherwise the best so far would have no effect;
    - before the first epoch it is 100: a first loss above 100 is worse;
    - NaN is never worse and replaces the previous value, and no loss is worse than NaN: the epoch after it is not
      worse, whatever its loss.

`MeanLossRule`, for the paper's protocol:
    - the monitored value is the mean loss over all validation pixels;
    - an epoch that is not below the best so far is worse; an equal loss and NaN are, too;
    - an epoch that is not worse keeps its weights;
    - `patience` worse epochs in a row stop; the kept weights are restored then, and also where the epochs run out;
    - where no epoch was ever better, `kept_epoch` is 0 and there is nothing to restore.
"""

from typing import Any, Dict, NamedTuple, Sequence


class Action(NamedTuple):
    """keep: save this epoch's weights, in place of those kept before; stop: restore the kept weights and end."""

    keep: bool
    stop: bool


class _Rule:
    """Base of both rules: the best value, the length of the streak, the epoch whose weights are kept."""

    restores_at_end = False  # whether to restore the kept weights after the last possible epoch
    start = float("inf")  # compared with the first epoch

    def __init__(self, patience: int = 20) -> None:
        if patience < 1:
            raise ValueError("the patience must be at least one epoch, not %d" % patience)
        self.patience = patience
        self.best = self.start  # the monitored value of the last epoch that was not worse
        self.streak = 0  # worse epochs in a row
        self.kept_epoch = 0  # counted from 1; 0 before any was kept
        self.epoch = 0  # epochs observed

    def observe(self, losses: Sequence[float], sizes: Sequence[int]) -> Action:
        """The action after an epoch. losses: mean loss of each validation mini-batch; sizes: their pixels."""
        if not losses or len(losses) != len(sizes):
            raise ValueError("expected the losses and sizes of the validation mini-batches, one or more of each")
        self.epoch += 1
        value = self.monitored(losses, sizes)
        worse = self.is_worse(value)
        if worse:
            self.streak += 1
        else:
            self.best, self.streak = value, 0
        keep = self.keeps(worse)
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

    def is_worse(self, value: float) -> bool:
        """Whether an epoch with this value is worse than the previous ones."""
        raise NotImplementedError

    def keeps(self, worse: bool) -> bool:
        """Whether this epoch's weights are kept."""
        raise NotImplementedError

    def state_dict(self) -> Dict[str, Any]:
        return {"best": self.best, "streak": self.streak, "kept_epoch": self.kept_epoch, "epoch": self.epoch}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.best, self.streak = float(state["best"]), int(state["streak"])
        self.kept_epoch, self.epoch = int(state["kept_epoch"]), int(state["epoch"])


class LastBatchRule(_Rule):
    """The release's rule."""

    start = 100.0

    def monitored(self, losses: Sequence[float], sizes: Sequence[int]) -> float:
        return float(losses[-1])

    def is_worse(self, value: float) -> bool:
        return self.best < value

    def keeps(self, worse: bool) -> bool:
        return self.streak == 1


class MeanLossRule(_Rule):
    """The rule of the paper's protocol."""

    restores_at_end = True

    def monitored(self, losses: Sequence[float], sizes: Sequence[int]) -> float:
        return float(sum(loss * size for loss, size in zip(losses, sizes)) / sum(sizes))

    def is_worse(self, value: float) -> bool:
        return not value < self.best

    def keeps(self, worse: bool) -> bool:
        return not worse


RULES = {"last_validation_batch": LastBatchRule, "mean_validation_loss": MeanLossRule}  # by what they monitor
