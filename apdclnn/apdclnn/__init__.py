"""APDCLNN (Hu et al., IEEE TGRS 2022), reconstructed from what the paper states; choices are numbered R1 to R11."""
