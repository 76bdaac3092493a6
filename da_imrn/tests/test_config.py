"""What a configuration of DA-IMRN may hold. (Every packaged one loads: test_cli.py.)"""

import pytest

from contracts.config_values import check_schema, property_of, refused
from da_imrn.experiments import SCHEMA
from da_imrn.network import SPATIAL_BLOCKS, WIDTHS

WRONG = [
    "scene=mars", "partition.window=0", "partition.patch=1", "partition.patch=8.0", "partition.per_window=0",
    "partition.accepted=[2000]", "partition.accepted=[-1, 5]", "partition.released.train=-0.1",
    "partition.fitted.val=1.5", "network.strides=[]", "network.strides=[2, 2, 2, 2, 2, 0]",
    "network.band_kernels=[1, 1, 1, 1, 1, 1, 1]", "network.spatial_block=five", "train.epochs=0", "train.batch=0",
    "train.patience=0", "train.num_iters=-1", "optimizer.lr=0", "optimizer.drop=2", "optimizer.drop_every=0",
]  # fmt: skip


@pytest.mark.parametrize("override", WRONG)
def test_a_wrong_value_is_named_before_anything_is_read(paper, capsys, tmp_path, override):
    refused(paper, capsys, tmp_path, override)


def test_the_schema_is_closed_and_names_what_the_code_names():
    check_schema(SCHEMA)
    assert property_of(SCHEMA, "network.spatial_block")["enum"] == list(SPATIAL_BLOCKS)
    for key in ("network.strides", "network.band_kernels"):
        assert property_of(SCHEMA, key)["maxItems"] == len(WIDTHS)
