"""The matrix of runs (papers, configurations, protocols, seeds): their states, their costs, and Snakemake to run
them."""
