"""DA-IMRN: dual-attention-guided interactive multi-scale residual network for hyperspectral scenes."""
