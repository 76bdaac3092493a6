"""The facts as Markdown, for readers without a browser and for diffs; the pictures are left to the page."""

import functools
import re
from typing import Any, Dict

import jinja2

from shared_data.report import wording
from shared_data.report.html import FOLDER

_ACTIVE = re.compile(r"[\\`*\[\]<>|&]")


def render_markdown(content: Dict[str, Any]) -> str:
    """The document. Every value is escaped, because most readers of Markdown let HTML through."""
    return _template().render(content)


@functools.lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(FOLDER)),
        autoescape=False,  # HTML's entities are not Markdown's; `finalize` escapes every value instead
        finalize=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(wording.FILTERS)
    return environment.get_template("report.md.j2")


def escape(value: Any) -> str:
    """Text that Markdown shows as it is, on one line; `<` and `&` become entities, the rest gets a backslash."""
    text = " ".join(str(value).split())
    return _ACTIVE.sub(lambda match: {"<": "&lt;", "&": "&amp;"}.get(match.group(), "\\" + match.group()), text)
