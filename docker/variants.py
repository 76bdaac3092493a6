"""What distinguishes the images: per paper and variant the base image, the interpreter, and the build arguments.

    modern   current CUDA base, current framework: Ampere, Hopper and newer
    era      the stack of the paper's time on its CUDA base: the GPUs of that time
    cpu      the modern stack without CUDA
    cpu-era  the stack of the paper's time without CUDA

A base image that has no interpreter of the wanted version must offer it as a Debian package.
"""

from typing import Dict, NamedTuple, Optional

VARIANTS = ("modern", "era", "cpu", "cpu-era")

PYTORCH_CPU = "https://download.pytorch.org/whl/cpu"
PYTORCH_CUDA_11_1 = "https://download.pytorch.org/whl/cu111"
# for GPUs: TensorFlow 2 finds CUDA in packages beside it, TensorFlow 1 has it in a build of another name
CUDA_LOCK = "docker/locks/cuda-tensorflow-%s.txt"


class Variant(NamedTuple):
    """Build arguments of one image. `stack` names the requirement file and the lock: modern or era."""

    base: str
    python: str
    stack: str
    python_packages: str = ""  # Debian packages beside the interpreter
    extra_index: Optional[str] = None
    further_requirements: Optional[str] = None  # a file; "" for none where the Dockerfile has the argument


class Paper(NamedTuple):
    """One paper's folder, which is its package too, and its images."""

    folder: str
    variants: Dict[str, Variant]


# PyTorch's wheels bring their CUDA libraries: CUDA 13.0 with 2.13.0, 10.1 with 1.4.0, 11.1 with 1.8.1 from its index
TORCH_MODERN = Variant("nvidia/cuda:13.0.1-base-ubuntu24.04", "3.12", "modern")
TORCH_CPU = Variant("debian:bookworm-slim", "3.11", "modern", extra_index=PYTORCH_CPU)
TF_MODERN = Variant("nvidia/cuda:12.6.3-base-ubuntu24.04", "3.12", "modern", further_requirements=CUDA_LOCK % "2.20.0")
TF_CPU = Variant("debian:bookworm-slim", "3.11", "modern", further_requirements="")

FULL_SCENE = {
    "modern": TORCH_MODERN,
    "era": Variant("nvidia/cuda:11.1.1-base-ubuntu20.04", "3.8", "era", "python3-distutils", PYTORCH_CUDA_11_1),
    "cpu": TORCH_CPU,
    "cpu-era": Variant("python:3.8-slim-bookworm", "3.8", "era", extra_index=PYTORCH_CPU),
}

PAPERS = {
    "ssdgl": Paper("ssdgl", FULL_SCENE),
    "rssgl": Paper("rssgl", FULL_SCENE),
    "a2s2k": Paper(
        "a2s2k_resnet",
        {
            "modern": TORCH_MODERN,
            "era": Variant("nvidia/cuda:10.1-base-ubuntu18.04", "3.7", "era", "python3-distutils"),
            "cpu": TORCH_CPU,
            "cpu-era": Variant("python:3.7-slim-bookworm", "3.7", "era", extra_index=PYTORCH_CPU),
        },
    ),
    "da-imrn": Paper(
        "da_imrn",
        {
            "modern": TF_MODERN,
            "era": Variant(
                "nvidia/cuda:10.0-cudnn7-runtime-ubuntu18.04",
                "3.7",
                "era",
                "python3-distutils",
                further_requirements=CUDA_LOCK % "1.15.5",
            ),
            "cpu": TF_CPU,
            "cpu-era": Variant("python:3.7-slim-bookworm", "3.7", "era", further_requirements=""),
        },
    ),
    "apdclnn": Paper(
        "apdclnn",
        {
            "modern": TF_MODERN,
            # made by cuda8.Dockerfile: no published image has both CUDA 8.0 and Python 3.6
            "era": Variant("hsi/cuda8-python3.6", "3.6", "era", further_requirements=CUDA_LOCK % "1.4.0"),
            "cpu": TF_CPU,
            "cpu-era": Variant("python:3.6-slim-bullseye", "3.6", "era", further_requirements=""),
        },
    ),
}


def build_arguments(variant: Variant, revision: str) -> Dict[str, str]:
    """The arguments of a Dockerfile, by name."""
    arguments = {
        "BASE": variant.base,
        "PYTHON": variant.python,
        "PYTHON_PACKAGES": variant.python_packages,
        "STACK": variant.stack,
        "REVISION": revision,
    }
    if variant.further_requirements is not None:
        arguments["FURTHER_REQUIREMENTS"] = variant.further_requirements
    if variant.extra_index:
        arguments["PIP_EXTRA_INDEX_URL"] = variant.extra_index
    return arguments
