"""What becomes of a run on a full or read-only disk."""

import torch

from a2s2k_resnet import checkpoint
from contracts.filesystems import PAGE, FileSystems, fill, make_room, memory_disk


class TestFileSystems(FileSystems):
    """File systems that a run cannot write to."""


def test_a_checkpoint_is_whole_or_refused_whatever_space_is_left(tmp_path):
    content = {str(number): torch.zeros(1000 + number) for number in range(60)}
    checkpoint.write(tmp_path / "whole.pth", content)
    size = (tmp_path / "whole.pth").stat().st_size
    refused = []
    with memory_disk(tmp_path / "disk", 2) as disk:
        for free in range(size // PAGE - 3, size // PAGE + 2):
            fill(disk, free * PAGE)
            path = disk / "weights.pth"
            try:
                checkpoint.write(path, content)
            except OSError:
                refused.append(free)
            assert path.exists() == (free not in refused)
            if path.exists():
                assert path.stat().st_size == size
                path.unlink()
            make_room(disk)
    assert 0 < len(refused) < 5
