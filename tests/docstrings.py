"""Real text for tests of models: numpy's docstrings, by AST."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np


def docstrings(count: int) -> list[tuple[str, str]]:
    """(prompt, response) of functions spread over numpy's own files, of one word to a few hundred."""
    found = []
    for file in sorted(Path(np.__file__).parent.joinpath("lib").glob("_*.py")):
        nodes = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)]
        found += [(f"What does numpy's {node.name} do?", doc[:900]) for node in nodes if (doc := ast.get_docstring(node))]
    return found[:: len(found) // count][:count]
