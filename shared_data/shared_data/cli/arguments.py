"""Numbers on a command line, as types of argparse."""

import argparse
from typing import Callable


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """An argparse type."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError("expected a whole number %d..%d, found '%s'" % (lowest, highest, text))
        return int(text)

    return parse


seed_number = whole_number(0, 2**32 - 1)  # what numpy's RandomState takes
fold_number = whole_number(0, 99)
positive_number = whole_number(1, 2**31 - 1)
number_or_none = whole_number(0, 2**31 - 1)
tile_side = whole_number(0, 2**31 - 1)
