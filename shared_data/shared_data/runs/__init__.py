"""What every training run needs: its directory, checkpoints, log, history, signals, environment, saved model."""
