"""What the RSSGL tests share beside fixtures."""

from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


# golden file: kernel, λ, scene and split whose training counts give the class weights
NETWORKS = {
    "rssgl_ip": ([3, 3, 3], 0.0009, "indian_pines", "percent_0.05_seed2333"),
    "rssgl_pu": ([3, 5, 5], 0.005, "pavia_university", "percent_0.01_seed2333"),
}


# pointwise kernels: the life of a run does not depend on them, and the tests take a third of the time
LEAN = "model.params.kernel=[1, 1, 1]"
