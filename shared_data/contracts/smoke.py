"""One short complete run: the test that `make test` runs in the stack of a paper's time and in the current one."""

import sys

import numpy as np
import pytest

from contracts.interruption import run_folder
from shared_data.records.record import read_record
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import index_hash, load_split


class Smoke:
    """Two steps on the synthetic scene, in this process; for the fixture `paper`."""

    def test_two_steps_leave_a_record_that_says_what_was_done(self, paper, finished):
        folder = run_folder(paper, finished.out)
        record = read_record(folder / "run.json")
        named = (paper.slug, "synthetic", "paper", paper.default_seed, "finished")
        assert tuple(record[key] for key in ("paper", "scene", "protocol", "seed", "status")) == named
        assert record["truncated"] is True and np.isfinite([entry["loss"] for entry in record["history"]]).all()
        assert record["environment"]["python"] == "%d.%d.%d" % sys.version_info[:3]
        environment = record["environment"]
        assert environment["framework_version"].split()[-1] == framework_version(environment["framework"])

        split, truth = load_split(folder / "split.npz"), load_scene("synthetic").ground_truth.ravel()
        for name, pixels in split._asdict().items():
            assert record["split"][name]["sha256"] == index_hash(pixels)
        prediction = np.load(str(folder / "prediction.npy")).ravel()
        right = (prediction[split.test] == truth[split.test]).mean()
        assert record["metrics"]["oa"] == pytest.approx(right, abs=1e-12)
        assert np.sum(record["metrics"]["confusion"]) == split.test.size

    @pytest.mark.stack_independent
    @pytest.mark.slow
    def test_a_fold_with_classes_without_training_pixels_is_run_to_its_end(self, paper, tmp_path, capsys):
        words = ["reproduce", "synthetic", "--protocol", "spatial-cv-d13", "--seed", "2333", "--fold", "3"]
        assert paper.main(words + ["--device", "cpu", "--out", str(tmp_path), *paper.short]) == 0
        assert "protocol spatial-cv-d13, seed 2333, fold 3: OA" in capsys.readouterr().out
        folder = tmp_path / paper.slug / "synthetic" / "spatial-cv-d13" / "seed-2333" / "fold-3"
        record = read_record(folder / "run.json")
        assert [entry["class"] for entry in record["untrained"]] == [2, 4]
        assert record["context"]["test_to_training"] > 13 and record["context"]["test_to_validation"] > 13
        assert [opening["reason"] for opening in record["truth_opened"]] == ["final evaluation"]
        assert not (folder.parent / "run.json").exists()


def framework_version(name):
    """The version of the last framework that a record names: tflearn on TensorFlow is "0.5.0 on 2.20.0"."""
    return sys.modules["torch" if name == "PyTorch" else "tensorflow"].__version__
