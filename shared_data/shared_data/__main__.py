"""Entry point of `python -m shared_data`."""

import sys

from shared_data.cli.shared import main

if __name__ == "__main__":
    sys.exit(main())
