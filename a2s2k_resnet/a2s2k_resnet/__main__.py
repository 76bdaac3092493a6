"""Entry point of `python -m a2s2k_resnet`."""

import sys

from a2s2k_resnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
