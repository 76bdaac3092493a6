"""The packages of the library lie in layers, and imports go down: no package knows one that is above it."""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[1] / "shared_data"
# lowest first; single modules beside the packages are of the lowest layer, but for the command's entry point
LAYERS = (
    "files", "configuration", "scenes", "splits", "preprocessing", "evaluation", "records", "runs", "audit",
    "comparison", "report", "describe", "export", "cli",
)  # fmt: skip

pytestmark = pytest.mark.stack_independent


def layer(parts):
    """Of a module below the library, by the parts of its name."""
    if parts and parts[0] in LAYERS:
        return LAYERS.index(parts[0])
    return len(LAYERS) if parts == ("__main__",) else -1


def imported(path):
    """The modules of the library that a file imports, also inside of functions, as parts of their names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "shared_data":
            above = tuple(node.module.split(".")[1:])
            for alias in node.names:
                named = above + (alias.name,)
                is_module = (LIBRARY.joinpath(*named)).is_dir() or LIBRARY.joinpath(*named).with_suffix(".py").is_file()
                yield named if is_module else above
        elif isinstance(node, ast.Import):
            yield from (
                tuple(alias.name.split(".")[1:]) for alias in node.names if alias.name.split(".")[0] == "shared_data"
            )


def parts_of(path):
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {parts_of(path): set(imported(path)) for path in sorted(LIBRARY.rglob("*.py"))}


def test_every_package_has_its_layer():
    assert {parts[0] for parts in MODULES if len(parts) > 1} == set(LAYERS)


def test_imports_go_down():
    upward = [
        "%s imports %s" % (".".join(module), ".".join(other))
        for module, others in MODULES.items()
        for other in others
        if layer(other) > layer(module)
    ]
    assert upward == []


def test_there_are_no_circles():
    done, path = set(), []

    def visit(module):
        assert module not in path, "a circle: %s" % " -> ".join(".".join(one) for one in [*path, module])
        if module in done:
            return
        path.append(module)
        for other in MODULES.get(module, ()):
            if other:
                visit(other)
        path.pop()
        done.add(module)

    for module in MODULES:
        if module:
            visit(module)
    assert len(done) > 60


def test_the_library_imports_no_paper_no_framework_and_nothing_beside_it():
    beside = {
        "ssdgl", "rssgl", "a2s2k_resnet", "da_imrn", "apdclnn", "simplecv", "contracts", "tools", "torch",
        "tensorflow", "keras", "tflearn",
    }  # fmt: skip
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not beside & {name.split(".")[0] for name in names}, path
