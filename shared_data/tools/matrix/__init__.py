"""The matrix of runs: papers, configurations, protocols and seeds; what it costs, and how long workers need for it."""
