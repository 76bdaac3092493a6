"""Settings of PyTorch that decide how a GPU computes. Every part is a process of its own and begins with PyTorch's."""

import torch


def full_float32() -> None:
    """Convolutions and matrix products without TF32, which PyTorch uses for convolutions by itself."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def algorithms_of_training(device: torch.device) -> None:
    """cuDNN times its algorithms and takes the fastest, as in every training of the papers."""
    torch.backends.cudnn.benchmark = device.type == "cuda"
