"""The facts as one HTML file with embedded style, script and pictures; its content security policy forbids all else.

Text of a record never becomes markup: the templates escape it, colours are validated before use, and the policy allows
a single script, by its hash.
"""

import base64
import functools
import hashlib
import math
from pathlib import Path
from typing import Any, Dict, Sequence

import jinja2
from markupsafe import Markup

from shared_data.comparison.diff import ABOVE, BELOW, EQUIVALENT
from shared_data.comparison.methods import is_rare, pair_cells, with_interval
from shared_data.comparison.overview import in_words
from shared_data.records.audit_file import NOT_AUDITED
from shared_data.report import wording
from shared_data.report.charts import chart
from shared_data.report.figures import picture
from shared_data.report.illustrations import comparison_figures, run_figures
from shared_data.report.overview_figure import draw_overview
from shared_data.report.pictures import pictures
from shared_data.report.run_maps import RunMaps

FOLDER = Path(__file__).parent
_SHADES = 8  # shades of a cell of the confusion matrix, as many as in the style sheet


def render_html(content: Dict[str, Any], maps: Sequence[RunMaps]) -> str:
    """The page. maps: of each run in `content`, in the same order."""
    style = _own_file("style.css")
    script = _own_file("sort.js") + _own_file("print.js")
    return _template().render(
        content,
        style=Markup(style),
        script=Markup(script),
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        numeric=_numeric_columns(content["table"]),
        overviews=[
            picture("Overall accuracy, " + one["title"], in_words(one["overview"]), draw_overview(one["overview"]))
            for one in content["scenes"]
        ],
        drawings=[
            {
                "pictures": pictures(run, found),
                "figures": run_figures(run, found),
                "charts": [chart(curve, run["selection"]["step"], run["title"]) for curve in run["curves"]],
            }
            for run, found in zip(content["runs"], maps)
        ],
        compared_figures=[comparison_figures(one["compared"]) for one in content["comparisons"]],
    )


@functools.lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(FOLDER)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    own = (shade, tone, audit_tone, pair_cells, is_rare, with_interval)
    environment.filters.update(wording.FILTERS, **{function.__name__: function for function in own})
    return environment.get_template("report.html.j2")


def shade(value: int, total: int) -> str:
    """The style of a cell: how large its share of its row is, in steps; empty for 0."""
    return "q%d" % math.ceil(_SHADES * value / total) if value and total else "zero"


def tone(text: str) -> str:
    """The style of a verdict; its meaning stays readable without colours."""
    return {EQUIVALENT: "good", BELOW: "bad", ABOVE: "other"}.get(text, "open")


def audit_tone(text: str) -> str:
    """The style of an audit's verdict: bad where test labels, or those of the pixels between, reach the method."""
    if text.startswith("clean"):
        return "good"
    if any(word in text for word in ("test labels", "gap labels", "flawed split", "ignores ")):
        return "bad"
    return "open" if text == NOT_AUDITED else "other"


def _numeric_columns(table: Dict[str, Any]) -> Sequence[bool]:
    """Which columns hold numbers, and are aligned as such."""
    columns = zip(*(row["cells"] for row in table["rows"]))
    return [all(_begins_with_number(cell) for cell in column) for column in columns]


def _begins_with_number(text: str) -> bool:
    return text == wording.NOTHING or text.lstrip("+-−<≤[( ")[:1].isdigit()


def _own_file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
