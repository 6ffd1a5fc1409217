"""One table of keys: a meaning has one key on all pages, and a key one meaning."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ui.keys import KEYS, numbered

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "ui").rglob("*.py")), *sorted((ROOT / "pages").rglob("*.py")), ROOT / "app.py"]


def test_no_key_has_two_meanings() -> None:
    assert len({key.lower() for key in KEYS.values()}) == len(KEYS)
    assert not {*KEYS.values()} & {numbered(n) for n in range(1, 10)}
    with pytest.raises(ValueError, match="no key"):
        numbered(10)


def test_pages_take_their_keys_from_the_table() -> None:
    found, used = [], set[str]()
    for path in PAGES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "shortcut":
                said = ast.unparse(node.value)
                found += [said] if not re.fullmatch(r"KEYS\[.+\]|numbered\(\w+\)", said) else []
                used |= {*re.findall(r"KEYS\['(.+)'\]", said)}
    assert not found, "a key that is written on a page is a second table"
    assert used <= {*KEYS}
    actions = re.findall(r'^  \["([\w ]+)", "\w+", ', (ROOT / "ui/queue.js").read_text(encoding="utf-8"), re.MULTILINE)
    undone = re.findall(r'^  \["(\w+)", "Undo", undo\]', (ROOT / "ui/queue.js").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"keep", "drop", "skip"} <= {*actions} <= {*KEYS}
    assert undone == ["undo"]


@pytest.mark.parametrize("sheet", sorted((ROOT / "ui").rglob("*.js")), ids=lambda path: path.name)
def test_no_script_has_letters_of_its_own(sheet: Path) -> None:
    assert not re.findall(r'event\.key(?:\.toLowerCase\(\))? === "\w"', sheet.read_text(encoding="utf-8"))
