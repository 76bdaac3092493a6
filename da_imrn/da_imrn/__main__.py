"""Entry point of `python -m da_imrn`."""

import sys

from da_imrn.cli import main

if __name__ == "__main__":
    sys.exit(main())
