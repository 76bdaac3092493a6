"""Which command each word of an image runs, with an interpreter that prints what it is given."""

import os
import subprocess
from pathlib import Path

import pytest

HSI = str(Path(__file__).resolve().parents[1] / "in-image" / "hsi")


@pytest.fixture
def hsi(tmp_path):
    """Call the entry point; returns (exit code, standard output, standard error)."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    environment = dict(os.environ, PATH="%s:%s" % (tmp_path, os.environ["PATH"]), HSI_PACKAGE="a2s2k_resnet",
                       HSI_PAPER="a2s2k", HSI_TITLE="A2S2K-ResNet")  # fmt: skip

    def call(*words):
        done = subprocess.run(
            [HSI, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
        )
        return done.returncode, done.stdout.decode().strip(), done.stderr.decode().strip()

    return call


@pytest.mark.parametrize("words", [(), ("--help",), ("help",)])
def test_it_explains_itself(hsi, words):
    code, text, _ = hsi(*words)
    assert code == 0
    assert text.startswith("A2S2K-ResNet") and "docker run" in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("reproduce", "pavia", "--seed", "3"), "-m a2s2k_resnet reproduce --out /results pavia --seed 3"),
        (("predict", "pavia", "--weights", "w"), "-m a2s2k_resnet predict --out /results pavia --weights w"),
        (("audit", "synthetic"), "-m a2s2k_resnet audit --out /results synthetic"),
        (("list",), "-m a2s2k_resnet list"),
        (("verify",), "-m shared_data verify"),
        (("verify", "ksc"), "-m shared_data verify ksc"),
        (("diff",), "-m shared_data diff /results --paper a2s2k"),
        (("diff", "--strict"), "-m shared_data diff /results --paper a2s2k --strict"),
        (("diff", "/other", "--strict"), "-m shared_data diff /other --strict"),
        (("tensorboard",), "-m tensorboard.main --logdir /results --host 0.0.0.0 --port 6006"),
        (("python", "-c", "pass"), "-c pass"),
    ],
)
def test_words(hsi, words, expected):
    code, text, _ = hsi(*words)
    assert code == 0
    assert text.splitlines()[-1] == expected


def test_an_unknown_word_is_refused(hsi):
    code, text, error = hsi("reproducee")
    assert (code, text) == (2, "")
    assert "there is no command 'reproducee'" in error
