"""Published numbers, verdicts, baselines, tables of methods."""
