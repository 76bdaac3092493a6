"""Which pages the documentation site has (hooks of mkdocs, called by `make docs`).

The Markdown files of the repository keep their paths, so that a link between two of them leads to the same place on the
site as in the repository; and one page per package is made from its docstrings. A link to anything else that the
repository holds, such as a source file, becomes text.
"""

import re
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
MARKDOWN = ("*.md", "docs/*.md", "*/README.md", "*/*/README.md", "*/*/*/README.md")
FILES = ("docs/**/*.svg", "docs/**/*.png", "docs/site.css")
PAPERS = ("ssdgl", "rssgl", "a2s2k_resnet", "da_imrn", "apdclnn")

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#:]+)(?:#[^)\s]*)?\)")


def found(patterns):
    """Paths below the repository's root, hidden folders left out."""
    paths = {path.relative_to(ROOT) for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(path.as_posix() for path in paths if not path.parts[0].startswith("."))


def packages():
    """Dotted names of the packages that get a page."""
    inner = sorted(path.parent.name for path in (ROOT / "shared_data" / "shared_data").glob("*/__init__.py"))
    return ["shared_data." + name for name in inner] + ["simplecv", *PAPERS]


def on_config(config):
    place = next(k for k, entry in enumerate(config.nav) if isinstance(entry, dict) and "Library" in entry)
    config.nav.insert(place + 1, {"API": [{name: "api/%s.md" % name} for name in packages()]})


def on_files(files, config):
    pages = [File.generated(config, path, abs_src_path=str(ROOT / path)) for path in found(MARKDOWN) + found(FILES)]
    pages += [File.generated(config, "api/%s.md" % name, content=f"# {name}\n\n::: {name}\n") for name in packages()]
    theme = [file for file in files if file.src_dir != config.docs_dir]
    return Files(pages + theme)


def on_page_markdown(markdown, page, config, files):
    """Without the links to what only the repository holds. A link that leads nowhere stays, and mkdocs reports it."""
    folder = (ROOT / page.file.src_uri).parent

    def shown(match):
        text, target = match.groups()
        path = (folder / target).resolve()
        inside = path.exists() and ROOT in path.parents
        return text if inside and files.get_file_from_path(path.relative_to(ROOT).as_posix()) is None else match[0]

    return _LINK.sub(shown, markdown)
