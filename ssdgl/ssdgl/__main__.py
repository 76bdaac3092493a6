"""Entry point of `python -m ssdgl`."""

import sys

from ssdgl.cli import main

if __name__ == "__main__":
    sys.exit(main())
