"""Entry point of `python -m rssgl`."""

import sys

from rssgl.cli import main

if __name__ == "__main__":
    sys.exit(main())
