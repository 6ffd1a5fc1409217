"""The rules of the house that a machine can hold."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOW = ("errors", "workspace", "models", "signal", "dataset", "load", "links", "recipe", "task", "measure", "scores", "selection", "export", "__main__")
"""The rooms on the way from a file to an export; a room never imports from one to its right."""


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


def _rooms() -> dict[str, set[str]]:
    """Which rooms each room of the core imports from. Discovery of signals by `signal` is not an import of what it finds."""
    found: dict[str, set[str]] = {}
    for path in _sources("curate"):
        others = {name.split(".")[1] for name in _imports(path) if name.startswith("curate.")}
        there = {o for o in others if (ROOT / "curate" / f"{o}.py").exists() or (ROOT / "curate" / o).is_dir()}
        found.setdefault(_room(path), set()).update(there - {_room(path)})
    found["signal"].discard("signals")
    return found


def test_imports_inside_the_core_never_circle() -> None:
    assert list(TopologicalSorter(_rooms()).static_order())


def test_imports_inside_the_core_follow_the_flow() -> None:
    rooms = _rooms()
    for at, room in enumerate(FLOW):
        assert not rooms[room] & set(FLOW[at + 1 :]), room


def test_only_the_engine_starts_processes_for_batches() -> None:
    for path in _sources("curate"):
        assert not {"ray", "dask", "concurrent.futures.ProcessPoolExecutor"} & _imports(path) or path.name == "engine.py", path


def test_only_two_rooms_load_models() -> None:
    for path in _sources("curate"):
        if path.name not in ("models.py", "classifier.py"):
            assert "from_pretrained(" not in path.read_text(encoding="utf-8"), path


def test_every_kernel_can_be_compiled_at_set_up() -> None:
    for path in _sources("curate/kernels"):
        assert path.name == "__init__.py" or "def warm() -> None:" in path.read_text(encoding="utf-8"), path


def test_files_are_split_before_they_grow() -> None:
    for folder in ("curate", "ui", "pages", "tests", "benchmarks"):
        for path in _sources(folder):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_the_command_line_starts_light() -> None:
    heavy = "torch", "polars", "numba", "duckdb", "transformers", "sklearn", "streamlit", "pyarrow"
    code = f"import sys, curate.__main__; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
