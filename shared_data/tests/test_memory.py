"""The free memory, and the tiles that fit into it."""

import pytest

from shared_data.runs import memory

pytestmark = pytest.mark.stack_independent

GIGABYTE = 10**9


def test_free_memory_is_the_systems_or_what_a_container_leaves(monkeypatch, tmp_path):
    limits = tmp_path / "version 2", tmp_path / "version 1"
    for name in ("_SYSTEM", "_PROCESS"):
        monkeypatch.setattr(memory, name, tmp_path / name)
    monkeypatch.setattr(memory, "_LIMITS", limits)
    (tmp_path / "_SYSTEM").write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\nHugePages_Total:  0\n")
    (tmp_path / "_PROCESS").write_text("Name:\tpython\nVmRSS:\t 1000 kB\nThreads:\t1\n")
    limits[0].write_text("max\n")
    assert memory.free_memory() == 5000 * 1024
    limits[1].write_text("9223372036854771712\n")  # no limit
    assert memory.free_memory() == 5000 * 1024
    limits[0].write_text("%d\n" % (3000 * 1024))
    assert memory.free_memory() == 2000 * 1024
    limits[0].write_text("1024\n")
    assert memory.free_memory() == 0


def test_free_memory_of_a_system_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_LIMITS", ())
    pages = {"SC_AVPHYS_PAGES": 300, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(memory.os, "sysconf", pages.get, raising=False)
    monkeypatch.setattr(memory.os, "sysconf_names", pages, raising=False)
    assert memory.free_memory() == 300 * 4096
    monkeypatch.setattr(memory.os, "sysconf_names", {}, raising=False)
    assert memory.free_memory() is None


@pytest.mark.parametrize(
    "free, side, said",
    [
        (50 * GIGABYTE, 0, "at once: it takes about 40 GB, and 50 GB of memory are free"),
        (49 * GIGABYTE, 256, "in tiles of 256 pixels: at once it would take about 40 GB, and 49 GB of memory"),
        (2 * GIGABYTE, 128, "in tiles of 128 pixels: at once"),
        (0, 64, "in tiles of 64 pixels: at once it would take about 40 GB, and 0 GB of memory are free"),
        (None, 0, "the free memory is unknown; TILE=256"),
    ],
)
def test_the_largest_tiles_that_fit_are_taken_and_said(capsys, free, side, said):
    assert memory.choose_tile(40 * GIGABYTE, lambda tile: tile * GIGABYTE // 100, free) == side
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and said in lines[0]
