"""Which ground truth a report draws for a record."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jinja2")

from shared_data.report.truth import Truths


def of(scene, folder, sha256, verified=True):
    record = {"data": [{"name": scene.ground_truth.name, "sha256": sha256}], "data_verified": verified}
    return Truths(folder).of(record, scene, Path("seed-1.json"))


def test_a_verified_run_may_be_drawn_on_any_verified_file(hashed):
    (hashed.folder / "Tiny_gt.mat").unlink()
    np.save(str(hashed.folder / "Tiny_gt.npy"), hashed.ground_truth.astype(np.int16))
    found = of(hashed.scene, hashed.folder, hashed.scene.ground_truth.sha256)
    np.testing.assert_array_equal(found.labels, hashed.ground_truth)
    assert found.labels.dtype == np.uint8 and found.remark == ""


def test_the_file_of_the_run_goes_before_another_verified_one(hashed, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    used = hashed.write(hashed.scene.ground_truth, np.ones_like(hashed.ground_truth), other)
    found = of(hashed.scene, [hashed.folder, other], used, verified=False)
    assert found.labels.all() and found.remark == ""
    found = of(hashed.scene, hashed.folder, used, verified=False)
    np.testing.assert_array_equal(found.labels, hashed.ground_truth)
    assert "is not the file the run used" in found.remark


@pytest.mark.parametrize("verified", [True, False])
def test_another_file_is_drawn_only_for_a_run_on_unverified_data(hashed, verified):
    hashed.write(hashed.scene.ground_truth, hashed.ground_truth[::-1])
    found = of(hashed.scene, hashed.folder, "a" * 64, verified)
    assert (found.labels is None) == verified
    assert found.remark.startswith("Tiny_gt.mat " + ("is not the file the run used" if verified else "drawn here"))
