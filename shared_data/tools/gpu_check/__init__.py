"""Check the papers on PyTorch on a GPU; `check.py` is the command."""
