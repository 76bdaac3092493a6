"""Files: written atomically, read with limits."""
