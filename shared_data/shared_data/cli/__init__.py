"""The command lines: one set of run options, shared and per-paper commands."""
