"""The command `describe`, which only the shared environment has the packages for."""

import argparse
import sys
from pathlib import Path
from typing import Any, Tuple

from shared_data.cli.console import print_text
from shared_data.errors import SharedDataError

NONE = "none"


def _numbers(kind: Any, meaning: str) -> Any:
    """An argparse type: numbers separated by commas, or "none" for no number at all."""

    def parse(text: str) -> Tuple[Any, ...]:
        try:
            return () if text.strip() == NONE else tuple(kind(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(
                "expected %s separated by commas, or '%s', found '%s'" % (meaning, NONE, text)
            ) from None

    return parse


def _describe(arguments: argparse.Namespace) -> int:
    if sys.version_info < (3, 10):
        raise SharedDataError("describe needs Python 3.10 or newer; use 'make scene'.")
    from shared_data.describe.scene import DescribeRequest, describe
    from shared_data.describe.summary import summary

    given = {name: value for name, value in vars(arguments).items() if name not in ("command", "handler")}
    print_text(summary(describe(DescribeRequest(**given))))
    return 0


def add_describe(commands: Any) -> None:
    """commands: what argparse's `add_subparsers` returns."""
    describe = commands.add_parser(
        "describe",
        help="check the files of an own scene and write the description that runs read",
        description="Check a cube and its labels, say what they hold, and write NAME.toml, which --scene of every "
        "paper reads. A cube that papers cannot read as it is, is copied to NAME-cube.npy beside it.",
    )
    describe.add_argument("cube", type=Path, help="MATLAB, HDF5, .npy, ENVI (header or image) or GeoTIFF file")
    describe.add_argument("--labels", type=Path, metavar="FILE", help="the map of classes; the same formats, or PNG")
    describe.add_argument("--name", help="of the scene (default: from the name of the cube's file)")
    describe.add_argument("--out", type=Path, metavar="FOLDER", help="for what is written (default: beside the cube)")
    describe.add_argument("--cube-key", metavar="KEY", help="the array of a file with several")
    describe.add_argument("--labels-key", metavar="KEY", help="the array of a file with several")
    describe.add_argument(
        "--unlabelled",
        type=_numbers(int, "labels"),
        metavar="LABELS",
        help="labels that mean 'no class', such as 0,255 (write --unlabelled=-1 with '='), or none (default: 0 if it "
        "occurs and the value that the file declares as no data; where neither occurs, 255 and -1)",
    )
    describe.add_argument(
        "--ignore",
        type=_numbers(float, "values"),
        metavar="VALUES",
        help="values of pixels without data, such as --ignore=-9999, or none (default: those that the file declares, "
        "and those that the check finds)",
    )
    describe.add_argument(
        "--drop-bands", metavar="BANDS", help="bands to leave out, such as 104-108,150; bad: as the header marks them"
    )
    describe.add_argument("--force", action="store_true", help="replace an earlier description of this name")
    describe.set_defaults(handler=_describe)
