"""The matrix of runs: papers, configurations, protocols and seeds; which there are, what each needs, and Snakemake."""
