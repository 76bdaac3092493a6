"""Fuzz target: a run record of any bytes is refused, or follows the schema, stays in its folder and can be kept."""

import json
from pathlib import Path
from typing import Iterator

import numpy as np
from refusal import value_or_refusal

from shared_data.records.counts import distances_of, units_of
from shared_data.records.map_codec import encode_map, prediction_of
from shared_data.records.record import collect, read_record
from shared_data.records.record_scene import scene_of_record

_RECORDS = Path(__file__).resolve().parents[2] / "records"


def seeds() -> Iterator[bytes]:
    """A kept record of every configuration and protocol, its long lists shortened, with an empty map of its scene."""
    for folder in sorted(_RECORDS.glob("*/*/*")):
        record = read_record(min(folder.glob("seed-*.json")))
        scene = scene_of_record(record)
        record["history"] = record["history"][:1]
        record["metrics"]["confusion"] = [[0]]
        record["split"]["test"]["size"] = 1
        record["units"] = [{"unit": 1, "field": 1, "class": 1, "fold": 0, "predicted": {"1": 1}}]
        record["distances"] = [{"distance": 1, "pixels": 1, "right": 1}]
        record["maps"] = {"prediction": encode_map(np.zeros((scene.height, scene.width), np.uint8)), "right": "AA=="}
        yield json.dumps(record).encode("utf-8")


def try_one(content: bytes, folder: Path) -> None:
    """Read the bytes as a record; of an accepted one also its maps, and keep it."""
    run = folder / "run"
    run.mkdir(exist_ok=True)
    (run / "run.json").write_bytes(content)
    record = value_or_refusal(read_record, run / "run.json")
    if record is None:
        return
    scene = value_or_refusal(scene_of_record, record)
    if scene is not None:
        prediction = value_or_refusal(prediction_of, record, scene)
        assert prediction is None or prediction.shape == (scene.height, scene.width)
    for read in (units_of, distances_of):
        value_or_refusal(read, record)
    records = folder / "records"
    kept = value_or_refusal(collect, run, records)
    assert kept is None or records.resolve() in kept.resolve().parents
    assert {path.name for path in folder.iterdir()} <= {"run", "records"}
    if kept is not None:
        kept.unlink()
