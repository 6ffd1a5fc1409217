"""The rules of the house that a machine can hold."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = [  # a module imports only from lines above its own
    {"curate"},
    {"errors"},
    {"roles", "normalise", "quality", "difference", "region"},
    {"workspace", "engine"},
    {"signal", "threads", "cells", "nearest", "models", "language_model", "kernels"},
    {"signals"},
    {"readers", "recognition", "rows", "view"},
    {"dataset"},
    {"load"},
    {"links", "recipe"},
    {"task", "reviews", "rank"},
    {"measure", "scores"},
    {"selection", "crossfilter", "query"},
    {"groups", "browse", "overview"},
    {"export", "jobs", "docstring", "planted"},
    {"demo", "serve", "warm"},
    {"__main__"},
]


def _sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return found


def _room(path: Path) -> str:
    parts = path.relative_to(ROOT / "curate").with_suffix("").parts
    return parts[0] if parts[0] != "__init__" else "curate"


def test_the_core_does_not_know_the_face() -> None:
    for path in _sources("curate"):
        tops = {name.split(".")[0] for name in _imports(path)}
        assert not tops & {"streamlit", "plotly", "ui", "pages", "app"}, path


def test_the_shared_face_does_not_know_the_pages() -> None:
    for path in _sources("ui"):
        assert not {name.split(".")[0] for name in _imports(path)} & {"pages", "app"}, path


def test_pages_are_thin() -> None:
    for path in _sources("pages"):
        assert not {name.split(".")[0] for name in _imports(path)} & {"polars", "numpy", "duckdb", "pandas", "pyarrow"}, path
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 80, path


def test_imports_inside_the_core_go_one_way() -> None:
    place = {name: level for level, names in enumerate(LAYERS) for name in names}
    for path in _sources("curate"):
        room = _room(path)
        assert room in place, f"{room} has no layer yet"
        for name in _imports(path):
            if name.startswith("curate."):
                other = name.split(".")[1]
                known = place.get(other)
                assert known is None or known < place[room] or other == room or {room, other} <= LAYERS[place[room]], f"{path} imports {name}"


def test_only_models_loads_models() -> None:
    for path in _sources("curate"):
        if path.name != "models.py":
            assert "from_pretrained(" not in path.read_text(encoding="utf-8"), path


def test_files_are_split_before_they_grow() -> None:
    for folder in ("curate", "ui", "pages", "tests", "benchmarks"):
        for path in _sources(folder):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_the_command_line_starts_light() -> None:
    heavy = "torch", "polars", "numba", "duckdb", "transformers", "sklearn", "streamlit", "pyarrow"
    code = f"import sys, curate.__main__; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
