"""How a paper's command line is reached: the environments of this checkout, or the images."""

import os
from pathlib import Path
from typing import List, NamedTuple

from shared_data.errors import SettingsError
from shared_data.scenes.loading import data_folders
from tools.matrix.jobs import Job, Options, PaperSource

RUNNERS = ("venv", "docker", "podman", "apptainer")


class Runner(NamedTuple):
    """kind: one of RUNNERS. interpreter, image: with {paper} and {variant} in them."""

    kind: str = "venv"
    variant: str = "modern"
    interpreter: str = ".venvs/{paper}-{variant}/bin/python"
    image: str = "hsi/{paper}:{variant}"

    def settings_command(self, paper: PaperSource, experiments: List[str], options: Options) -> List[str]:
        """The command that says what decides the results of these configurations."""
        words = ["python", "-m", paper.package, "settings"] + experiments
        return self._command(paper, words, options, self._common(options))

    def run_command(self, paper: PaperSource, job: Job, options: Options) -> List[str]:
        """The command that runs, or resumes, a job; with --force behind it, that starts it over."""
        words = ["python", "-m", paper.package, "reproduce", job.experiment]
        own = ["--protocol", job.protocol, "--seed", str(job.seed), "--device", options.device]
        out = str(options.out) if self.kind == "venv" else "/results"
        return self._command(paper, words, options, own + ["--out", out] + self._common(options))

    def _common(self, options: Options) -> List[str]:
        words = ["--unverified"] if options.unverified else []
        words += ["--iters", str(options.iterations)] if options.iterations is not None else []
        for override in options.overrides:
            words += ["--set", override]
        return words

    def _command(self, paper: PaperSource, words: List[str], options: Options, further: List[str]) -> List[str]:
        folders = [str(Path(folder).resolve()) for folder in data_folders(options.data)]
        if self.kind == "venv":
            interpreter = os.path.abspath(self.interpreter.format(paper=paper.slug, variant=self.variant))
            return [interpreter] + words[1:] + further + ["--data", os.pathsep.join(folders)]
        if self.kind not in RUNNERS:
            raise SettingsError("unknown RUNNER '%s'; there are: %s." % (self.kind, ", ".join(RUNNERS)))
        inside = ["/data%s" % (number or "") for number in range(len(folders))]
        binds = ["%s:%s:ro" % pair for pair in zip(folders, inside)] + ["%s:/results" % options.out]
        gpu = options.device.startswith("cuda")
        head = self._apptainer(binds, gpu) if self.kind == "apptainer" else self._container(binds, gpu)
        image = self.image.format(paper=paper.slug, variant=self.variant)
        return head + [image] + words + further + ["--data", os.pathsep.join(inside)]

    def _container(self, binds: List[str], gpu: bool) -> List[str]:
        user = "%d:%d" % (os.getuid(), os.getgid())
        words = [
            self.kind,
            "run",
            "--rm",
            "--init",
            "--network",
            "none",
            "--read-only",
            "--tmpfs",
            "/tmp",
            "--user",
            user,
        ]
        words += ["--env", "OMP_NUM_THREADS", "--env", "TF_NUM_INTRAOP_THREADS"]
        words += ["--userns", "keep-id"] if self.kind == "podman" else []
        words += ["--gpus", "all"] if gpu and self.kind == "docker" else []
        words += ["--device", "nvidia.com/gpu=all"] if gpu and self.kind == "podman" else []
        for bind in binds:
            words += ["--volume", bind]
        return words

    def _apptainer(self, binds: List[str], gpu: bool) -> List[str]:
        words = ["apptainer", "run", "--contain"] + (["--nv"] if gpu else [])
        for bind in binds:
            words += ["--bind", bind]
        return words
