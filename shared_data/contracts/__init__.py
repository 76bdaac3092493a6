"""Tests every paper must pass. A module here holds a class of them, which a paper's test module makes its own:

    from contracts.bad_input import BadInput

    class TestBadInput(BadInput):
        "..."

with a fixture `paper` in its conftest.py that returns a `PaperUnderTest`. Fixtures for all papers are in `plugin.py`.
"""

from typing import Any, Callable, Dict, Mapping, NamedTuple, Sequence, Tuple


def set_options(*overrides: str) -> Tuple[str, ...]:
    """`--set` options of the command line."""
    return tuple(word for override in overrides for word in ("--set", override))


class PaperUnderTest(NamedTuple):
    """What the shared tests need to know of a paper."""

    slug: str
    package: str  # of `python -m`
    main: Callable[[Sequence[str]], int]
    configs_owner: Any  # object whose attribute CONFIGS names the folder of configurations
    short: Tuple[str, ...]  # options of a run of two steps on the synthetic scene, --iters among them
    epochs: Tuple[str, ...]  # options of a run with several checkpoints that lasts some seconds
    short_override: str  # a key that `short` overrides; a run that changes it is refused the directory
    wrong_keys: Sequence[Tuple[str, str]]  # (section of a configuration, unknown key)
    listed: Sequence[str]  # configurations that must exist
    default_seed: int
    verdicts: Dict[str, Tuple[str, str]]  # of an audit, per protocol: everything it finds, and the item `context`
    long_verdicts: Mapping[str, Tuple[str, str]] = {}  # the same of audits that take minutes
    lean: Tuple[str, ...] = ()  # overrides that make the synthetic scene's network smaller
    lean_generic: Tuple[str, ...] = ()  # the same for an own scene, where `lean` does not fit it
    follow: Tuple[str, ...] = ()  # keys derived from those that `lean_generic` sets
    protocols: str = "released, paper"  # its own, as error messages list them
