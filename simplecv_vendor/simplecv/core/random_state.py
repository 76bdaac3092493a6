"""The states of all random generators a training run draws from, as tensors and numbers.

Plain values only, so that a checkpoint holding them can be read without running any code from the file.
"""

import random
from typing import Any, Dict, Iterator, Tuple

import numpy as np
import torch

State = Dict[str, Any]


def get_random_state() -> State:
    """Python's, numpy's and torch's global generators; those of all CUDA devices once CUDA is in use."""
    version, words, gauss = random.getstate()
    legacy: Any = np.random.get_state()
    name, keys, position, has_gauss, cached = legacy
    state = {
        "python": {"version": version, "words": torch.tensor(words, dtype=torch.int64), "gauss": gauss},
        "numpy": {
            "name": name,
            "keys": torch.from_numpy(keys.astype(np.int64)),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        "torch": torch.get_rng_state(),
        "cuda": [],
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: State) -> None:
    """Restore what `get_random_state` returned; CUDA states for the devices that exist."""
    python, numpy = state["python"], state["numpy"]
    random.setstate((python["version"], tuple(python["words"].tolist()), python["gauss"]))
    keys = numpy["keys"].numpy().astype(np.uint32)
    np.random.set_state((numpy["name"], keys, numpy["position"], numpy["has_gauss"], numpy["cached"]))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available():
        for index, device_state in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(device_state, index)


def find_generators(loader: Any) -> Dict[str, torch.Generator]:
    """The torch.Generators that a loader, its samplers or its data set hold as attributes, by a dotted name."""
    return {name: value for name, value in _attributes(loader) if isinstance(value, torch.Generator)}


def _attributes(loader: Any) -> Iterator[Tuple[str, Any]]:
    owners = {"loader": loader}
    for name in ("sampler", "batch_sampler", "dataset"):
        owners[name] = getattr(loader, name, None)
    owners["batch_sampler.sampler"] = getattr(owners["batch_sampler"], "sampler", None)
    for owner_name, owner in owners.items():
        for name, value in sorted(getattr(owner, "__dict__", {}).items()):
            yield f"{owner_name}.{name}", value
