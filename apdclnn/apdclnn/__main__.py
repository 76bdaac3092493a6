"""`python -m apdclnn`."""

import sys

from apdclnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
