"""What a run needs: minutes, memory, cores and GPUs, from the records of finished runs.

A record of the same configuration, protocol and number of steps is taken as measured. Where there is none, the nearest
record of the paper is scaled: the seconds of a step and of the evaluation by the size of what they handle, the number
of steps by the configuration. A record holds the times of the training steps and of the last prediction; loading,
validation between epochs, maps and the record itself are a share and an allowance on top.
"""

import math
import statistics
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from shared_data.errors import RecordError
from shared_data.records.record import find_record_paths, read_record
from shared_data.scenes.catalogue import Scene, get_scene, scenes
from shared_data.splits.disjoint import DisjointRule
from tools.matrix.jobs import Job

START_UP_S = 40.0  # framework, data, split, maps, record
BESIDE_STEPS = 1.1  # validation and checkpoints between the steps
RUNTIME_MB = 500.0  # of the peak: interpreter and framework, which no scene makes larger

# where nothing was measured
UNKNOWN_RUNTIME = 720
UNKNOWN_MEMORY_MB = 8000
UNKNOWN_CORES = 2


class Scaling(NamedTuple):
    """The sizes of a scene with which a paper's costs grow, as names of SIZES."""

    step: str  # seconds of one step
    steps: str  # steps of one epoch; of a paper that counts iterations, none
    evaluation: str
    memory: str


SIZES = {
    "none": lambda scene: 1.0,
    "bands": lambda scene: scene.bands,
    "pixels": lambda scene: scene.height * scene.width,
    "voxels": lambda scene: scene.height * scene.width * scene.bands,
    "labelled": lambda scene: scene.labelled_pixels or scene.height * scene.width / 2.0,
}

# full-scene networks see the whole image in each step, behind a first layer that reduces the bands to a fixed width;
# the others take mini-batches of patches, of all bands (A2S2K, DA-IMRN) or of a fixed number of components (APDCLNN)
SCALINGS = {
    "ssdgl": Scaling("pixels", "none", "pixels", "pixels"),
    "rssgl": Scaling("pixels", "none", "pixels", "pixels"),
    "a2s2k": Scaling("bands", "labelled", "voxels", "voxels"),
    "da-imrn": Scaling("bands", "labelled", "voxels", "voxels"),
    "apdclnn": Scaling("none", "labelled", "pixels", "pixels"),
}
OTHERS = Scaling("none", "labelled", "pixels", "pixels")


class Cost(NamedTuple):
    """minutes: expected, None where unknown. runtime, memory_mb, cores, gpus: what to ask a scheduler for.

    origin: measured (n records), scaled from ..., or unknown.
    """

    minutes: Optional[float]
    runtime: int
    memory_mb: int
    cores: int
    gpus: int
    origin: str


def usable_records(*folders: Any) -> List[Dict[str, Any]]:
    """The records below the folders, one for each run; those that cannot be read tell nothing here."""
    records = {}
    for folder in folders:
        for path in find_record_paths(folder):
            try:
                record = read_record(path)
            except RecordError:
                continue
            key = (record["paper"], record["experiment"], record["protocol"], record["seed"], record["finished_at"])
            records.setdefault(key, record)
    return list(records.values())


def cost(job: Job, config: Optional[Dict[str, Any]], gpu: bool, records: Sequence[Dict[str, Any]]) -> Cost:
    """What a job needs. config: its own, None where it is not known. gpu: whether it is to run on one."""
    own = [
        record
        for record in records
        if record["paper"] == job.paper and (record["environment"]["gpu"] is not None) == gpu
    ]
    own = [record for record in own if steps_of(record) and record["scene"] in scenes()]
    if not own or _scene_of(job, config) not in scenes():
        return Cost(None, UNKNOWN_RUNTIME, UNKNOWN_MEMORY_MB, UNKNOWN_CORES, int(gpu), "unknown")
    best = max(_nearness(job, config, record) for record in own)
    nearest = [record for record in own if _nearness(job, config, record) == best]
    estimates = [_estimate(job, config, record) for record in nearest]
    minutes = statistics.mean(seconds for seconds, _ in estimates) / 60
    memory = max(memory for _, memory in estimates)
    if all(best[:3]):
        origin = "measured (%d record%s)" % (len(nearest), "" if len(nearest) == 1 else "s")
    else:
        origin = "scaled from %s" % ", ".join(sorted({"%(experiment)s/%(protocol)s" % record for record in nearest}))
    cores = max(record["environment"]["cores"] for record in nearest)
    # generous: other hardware, an early stopping that comes later, a busy file system
    return Cost(minutes, int(2 * minutes) + 15, int(1.5 * memory) + 500, cores, int(gpu), origin)


def _nearness(job: Job, config: Optional[Dict[str, Any]], record: Dict[str, Any]) -> Tuple[Any, ...]:
    """The better, the more of the first ones are true; then, the closer the scenes are in size."""
    ratio = _ratio("voxels", get_scene(_scene_of(job, config)), get_scene(record["scene"]))
    return (
        record["experiment"] == job.experiment,
        _same_training(config, record),
        record["protocol"] == job.protocol,
        record["scene"] == _scene_of(job, config),
        config is None or record["config"].get("model") == config.get("model"),
        -abs(math.log(ratio)),
    )


def _same_training(config: Optional[Dict[str, Any]], record: Dict[str, Any]) -> bool:
    return config is None or _limits(config) == _limits(record["config"])


def _limits(config: Dict[str, Any]) -> Tuple[Any, ...]:
    training = config.get("train", {})
    return tuple(training.get(key) for key in ("epochs", "num_iters", "batch", "patience"))


def _scene_of(job: Job, config: Optional[Dict[str, Any]]) -> str:
    """The scene of a job; where its configuration is not known, the one that its name begins with."""
    if config:
        return config["scene"]
    return max((slug for slug in scenes() if (job.experiment + "-").startswith(slug + "-")), key=len, default="")


def steps_of(record: Dict[str, Any]) -> int:
    """Training steps of a run, those before an early stop."""
    selection, history = record["selection"], record["history"]
    return selection.get("last_step") or (history[-1]["step"] if history else selection["step"])


def _estimate(job: Job, config: Optional[Dict[str, Any]], record: Dict[str, Any]) -> Tuple[float, float]:
    """Seconds and megabytes of a job, from one record."""
    scaling = SCALINGS.get(job.paper, OTHERS)
    scenes = get_scene(_scene_of(job, config)), get_scene(record["scene"])
    own = config or record["config"]
    pixels = _ratio(scaling.steps, *scenes)
    if scaling.steps == "labelled":
        share, measured = (
            _training_share(one, record["decisions"], scene) for one, scene in zip((own, record["config"]), scenes)
        )
        pixels *= share / measured
    steps = _planned_steps(config, record, pixels)
    step = _ratio(scaling.step, *scenes) * _work(own) / _work(record["config"])
    training = steps * record["times"]["train_s"] / steps_of(record) * step
    evaluation = record["times"]["evaluation_s"] * _ratio(scaling.evaluation, *scenes)
    own_memory = max(record["memory"]["peak_rss_mb"] - RUNTIME_MB, 0.0)
    memory = RUNTIME_MB + own_memory * _ratio(scaling.memory, *scenes)
    return START_UP_S + BESIDE_STEPS * training + evaluation, memory


def _training_share(config: Dict[str, Any], decisions: Dict[str, Any], scene: Scene) -> float:
    """Which share of the labelled pixels trains; decisions: of the record, whose protocol splits in the same way."""
    if decisions.get("split") == "disjoint":
        return DisjointRule().train
    if "partition" in config:
        return config["partition"].get(decisions.get("ratios"), {}).get("train", 1.0)
    split = config.get("split", {})
    if "held_out" in split:
        return 1 - split["held_out"]
    least = split.get("minimum", 0) * scene.num_classes / SIZES["labelled"](scene)
    return max(split.get("ratio", 0.0), least) or 1.0


def _work(config: Dict[str, Any]) -> float:
    """What a step's time grows with beside the scene: channels², the patch's area."""
    model = config.get("model", {}).get("params", {})
    channels = model.get("block_channels", [1])
    side = config.get("partition", config.get("patch", {}))
    side = side.get("patch", side.get("side", 1))
    return sum(width**2 for width in channels) / len(channels) * side**2


def _planned_steps(config: Optional[Dict[str, Any]], record: Dict[str, Any], ratio: float) -> float:
    """Steps of a job: those of the record where both may take as many, else as many as its configuration allows."""
    taken = steps_of(record)
    if _same_training(config, record):
        return taken * ratio
    training = config["train"]
    most = training.get("num_iters") or float("inf")
    if "epochs" not in training:
        return most
    epochs = max(len(record["history"]), 1)
    return min(training["epochs"] * taken * ratio / epochs, most)


def _ratio(size: str, scene: Scene, measured: Scene) -> float:
    return SIZES[size](scene) / SIZES[size](measured)
