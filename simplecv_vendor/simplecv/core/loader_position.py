"""The position of a run in its data: an endless iteration over a loader, which can be stored and resumed.

A loader with state_dict/load_state_dict stores its own position. Its contract: between two batches `state_dict()`
describes the position after all batches yielded so far, and `iter()` after `load_state_dict` continues there. Every
epoch's iterator is run to its end, so code after the last batch (the next epoch's seed) is executed.

For any other loader, the random states at the epoch's start are stored and batches counted. To resume, the index
sampler runs through the finished epochs (some samplers draw from a list of seeds), the random states are restored, the
epoch is started, and the batches already used are skipped.
"""

from typing import Any, Dict, Iterable, Iterator, List, Optional

from torch.utils.data import IterableDataset

from simplecv.core.random_state import find_generators, get_random_state, set_random_state
from simplecv.errors import LoaderError

_END = object()


class LoaderPosition:
    """Walks over `loader` epoch after epoch. `epoch` counts finished epochs, `consumed` batches of the current one."""

    def __init__(self, loader: Any):
        self.loader = loader
        self.epoch = 0
        self.consumed = 0
        self._iterator: Optional[Iterator[Any]] = None
        self._start: Optional[Dict[str, Any]] = None
        self._surplus: List[Any] = []
        self.length = _length(loader)
        self._stateful = hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")

    def take(self, count: int, wrap: bool) -> List[Any]:
        """The next `count` batches; none when the epoch turns out to be over before the first.

        wrap: go on into the next epoch to fill up; otherwise the last group of an epoch may be smaller.
        Raises: LoaderError when a whole epoch has no batch.
        """
        batches: List[Any] = []
        epoch = self.epoch
        while len(batches) < count and (wrap or self.epoch == epoch):
            batch = self._next()
            if batch is not _END:
                batches.append(batch)
            elif not batches:
                break
        return batches

    def _next(self) -> Any:
        """One batch, or _END. Where the loader tells its length, the epoch is finished with its last batch."""
        iterator = self._begin() if self._iterator is None else self._iterator
        batch = self._surplus.pop() if self._surplus else next(iterator, _END)
        if batch is _END:
            if self.consumed == 0:
                raise LoaderError(
                    f"The data loader {type(self.loader).__name__} hands out no batch in epoch {self.epoch + 1}."
                )
            self._finish()
            return _END
        self.consumed += 1
        if self.consumed == self.length:
            following = next(iterator, _END)
            if following is _END:
                self._finish()
            else:  # the loader's length is wrong: the epoch ends with its iterator
                self.length = None
                self._surplus.append(following)
        return batch

    def _begin(self) -> Iterator[Any]:
        _announce_epoch(self.loader, self.epoch)
        if not self._stateful:
            self._start = {"random": get_random_state(), "generators": _generator_states(self.loader)}
        self._iterator = iter(self.loader)
        return self._iterator

    def _finish(self) -> None:
        self.epoch += 1
        self.consumed = 0
        self._iterator = self._start = None

    def state_dict(self) -> Dict[str, Any]:
        """The position as plain values, for a checkpoint."""
        return {
            "epoch": self.epoch,
            "consumed": self.consumed,
            "start": self._start,
            "generators": _generator_states(self.loader),
            "loader": self.loader.state_dict() if self._stateful else None,
        }

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Go to a stored position. This changes the global random states, so restore them afterwards."""
        if self._stateful != (state["loader"] is not None):
            raise LoaderError(
                "The checkpoint was written with another kind of data loader (one has state_dict, the other has not): "
                "resume with the loader of the interrupted run."
            )
        self.epoch, self.consumed = state["epoch"], state["consumed"]
        if self._stateful:
            self.loader.load_state_dict(state["loader"])
            if self.consumed:
                _announce_epoch(self.loader, self.epoch)
                self._iterator = iter(self.loader)
        else:
            self._replay(state["start"])
        _restore_generators(self.loader, state["generators"])

    def _replay(self, start: Optional[Dict[str, Any]]) -> None:
        for epoch in range(self.epoch):
            _announce_epoch(self.loader, epoch)
            for _ in _indices(self.loader):
                pass
        if not self.consumed:
            return
        assert start is not None  # stored at the begin of every epoch that is not over
        set_random_state(start["random"])
        _restore_generators(self.loader, start["generators"])
        _announce_epoch(self.loader, self.epoch)
        self._start = start
        self._iterator = iterator = iter(self.loader)
        for _ in range(self.consumed):
            if next(iterator, _END) is _END:
                raise LoaderError(
                    f"The checkpoint was taken after batch {self.consumed} of an epoch, but the data loader has fewer "
                    "batches now: resume with the data and batch size of the interrupted run."
                )


def _length(loader: Any) -> Optional[int]:
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None


def _indices(loader: Any) -> Iterable[Any]:
    """The sampler of an epoch's indices; None for a stream, whose sampler never ends."""
    if isinstance(getattr(loader, "dataset", None), IterableDataset):
        return ()
    samplers = (getattr(loader, "batch_sampler", None), getattr(loader, "sampler", None))
    return next((sampler for sampler in samplers if sampler is not None), ())


def _announce_epoch(loader: Any, epoch: int) -> None:
    """Pass the epoch's number to a distributed sampler, which shuffles by it."""
    sampler: Any = getattr(loader, "sampler", None)
    if hasattr(sampler, "set_epoch"):
        sampler.set_epoch(epoch)


def _generator_states(loader: Any) -> Dict[str, Any]:
    return {name: generator.get_state() for name, generator in find_generators(loader).items()}


def _restore_generators(loader: Any, states: Dict[str, Any]) -> None:
    for name, generator in find_generators(loader).items():
        if name in states:
            generator.set_state(states[name])
