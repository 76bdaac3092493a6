"""The runs of a matrix: every combination that exists, and one sentence for each that does not."""

import os
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from shared_data.errors import SettingsError


class PaperSource(NamedTuple):
    """A paper as the Makefile describes it: its folder, which is its package too, and the folders on its path."""

    slug: str
    folder: str
    sources: Tuple[str, ...]

    @property
    def package(self) -> str:
        """The module name for `python -m`."""
        return os.path.basename(self.folder)


class Options(NamedTuple):
    """Options passed on to every run; `out` is absolute."""

    out: Path
    data: Optional[str] = None
    unverified: bool = False
    device: str = "auto"
    iterations: Optional[int] = None
    overrides: Tuple[str, ...] = ()


class Job(NamedTuple):
    """One run, which owns one directory."""

    paper: str
    experiment: str
    protocol: str
    seed: int

    @property
    def name(self) -> str:
        """Its directory below the results folder."""
        return "%s/%s/%s/seed-%d" % self

    def folder(self, out: Path) -> Path:
        """Its directory."""
        return out / self.paper / self.experiment / self.protocol / ("seed-%d" % self.seed)


class Told(NamedTuple):
    """A paper's answer to `python -m <package> settings`.

    settings: per configuration, of any protocol and seed: `config` and the hashes of `data`. errors: why one has none.
    """

    experiments: Sequence[str]
    protocols: Sequence[str]
    settings: Dict[str, Dict]
    errors: Dict[str, str]


def paper_source(text: str) -> PaperSource:
    """From "slug=folder:source,source". Raises: SettingsError."""
    slug, _, rest = text.partition("=")
    folder, _, sources = rest.partition(":")
    if not (slug and folder and sources):
        raise SettingsError("expected slug=folder:source,source for a paper, found '%s'; is there such a paper?" % text)
    return PaperSource(slug, folder, tuple(sources.split(",")))


def select(
    told: Dict[str, Told], scenes: Sequence[str], experiments: Sequence[str], protocols: Sequence[str],
    seeds: Sequence[int],
) -> Tuple[List[Job], List[str]]:  # fmt: skip
    """The jobs, and a sentence for each combination that does not exist.

    scenes: configurations named as their scene. experiments: further configurations by their exact names.
    """
    jobs, left_out = [], []
    for paper, answer in told.items():
        wanted = list(dict.fromkeys(list(scenes) + list(experiments)))
        missing = [name for name in wanted if name not in answer.experiments]
        if missing:
            left_out.append("%s has no configuration %s" % (paper, ", ".join(missing)))
        unknown = [protocol for protocol in protocols if protocol not in answer.protocols]
        if unknown:
            left_out.append("%s has no protocol %s" % (paper, ", ".join(unknown)))
        jobs += [
            Job(paper, name, protocol, seed)
            for name in wanted if name not in missing
            for protocol in protocols if protocol not in unknown
            for seed in seeds
        ]  # fmt: skip
    return jobs, left_out
