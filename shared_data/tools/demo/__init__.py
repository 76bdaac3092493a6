"""A tour of the project in minutes, on the generated scene: short runs, one table, one picture, one report."""
