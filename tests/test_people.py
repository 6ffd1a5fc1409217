"""Roles: one table says who may write what, every verb of the face that writes asks it, and a logged-in person speaks under their own name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from curate.errors import InputError
from curate.jobs import jobs
from curate.part import LinkThreshold
from curate.people import LEAST, ROLES, Deed, People, Person, deed_of, named, read_people
from curate.reviews import Action, Review, append, fold, read_log
from curate.workspace import Workspace
from tests import small
from ui import work

ROOT = Path(__file__).parent.parent
FILE = "people:\n  Ana@Example.org: owner\n  '@example.org': reviewer\n  ben@example.org: viewer\n"
TOKEN = {"is_logged_in": True, "email": "rita@example.org", "email_verified": True, "name": "Rita", "iss": "https://id.example", "sub": "7"}
WRITERS = {
    "curate.jobs": {"start", "cancel", "dismiss"},
    "curate.reviews": {"append", "append_line"},
    "curate.workspace": {"write_file", "write_json", "whole_folder"},
    "curate.lineage": {"tag", "untag", "roll_back"},
    "curate.keeping": {"clean"},
    "curate.moving": {"move"},
    "curate.export": {"export", "run"},
    "curate.synthetic.accept": {"accept"},
    "curate.synthetic.review": {"say", "take_back"},
    "curate.probes.back": {"take"},
    "curate.probes.following": {"follow", "forget"},
}
"""What the core writes with."""
UNASKED = {("ui/held.py", "bring"), ("ui/held.py", "adopt")}
"""Called by `state.open_key` alone, which asks."""


def test_the_nearest_rule_gives_the_role(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(FILE, encoding="utf-8")
    people = read_people("", tmp_path)
    assert people is not None
    found = [people.role(email) for email in ("ana@example.org", "BEN@example.org", "carl@example.org", "x@sub.example.org", "", "example.org")]
    assert found == ["owner", "viewer", "reviewer", None, None, None]
    (tmp_path / "people.yaml").write_text(FILE + "default: viewer\n", encoding="utf-8")
    again = read_people("", tmp_path)
    assert again is not None
    assert again.role("x@sub.example.org") == again.role("") == "viewer"
    assert read_people("reviewer", tmp_path) == People(default="reviewer")
    assert read_people("", tmp_path / "none") is None


def test_the_file_in_the_docs_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yml\n(.*?)^```", (ROOT / "docs" / "serve.md").read_text(encoding="utf-8"), re.S | re.M)
    (tmp_path / "people.yaml").write_text(block, encoding="utf-8")
    people = read_people("", tmp_path)
    assert people is not None
    assert [people.role(f"{name}@example.org") for name in ("ana", "ben")] + [people.role("x@y.z")] == ["owner", "reviewer", "viewer"]


@pytest.mark.parametrize(
    "text", ["", "[]", "owner", "people: [ana]", "people: {ana: owner}", "people: {a@b: boss}", "default: all", "owner: a@b", "a: [", "\xff"]
)
def test_a_file_that_says_it_wrongly_lets_nobody_in(tmp_path: Path, text: str) -> None:
    (tmp_path / "people.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"people\.yaml"):
        read_people("", tmp_path)
    with pytest.raises(InputError, match="not there"):
        read_people(str(tmp_path / "other.yaml"), tmp_path)


def test_a_token_names_a_person() -> None:
    people = People({"rita@example.org": "owner"}, "viewer")
    rita = named(TOKEN, people)
    assert (rita.name, rita.role, len(rita.id)) == ("Rita", "owner", 12)
    assert named({**TOKEN, "name": None}, people).name == "rita@example.org"
    assert named({**TOKEN, "name": "Rita\u202e\n" + "x" * 99}, people).name == "Rita" + "x" * 56
    unproved = named({**TOKEN, "email_verified": False}, people)
    assert (unproved.role, unproved.id == rita.id) == ("viewer", False), "anyone could say that this is their address"
    assert named({**TOKEN, "email": "eve@example.org"}, people).id != rita.id, "the name alone makes nobody Rita"


def test_the_table_gives_each_role_what_the_one_below_may_and_more() -> None:
    assert {*LEAST} == {*get_args(Deed)}
    may = [{deed for deed in LEAST if Person("x", role).may(deed)} for role in ROLES]
    assert may == [set(), {"review"}, {*LEAST}]
    assert not any(Person("x", None).may(deed) for deed in LEAST)
    every: tuple[Action, ...] = get_args(Action)
    assert {a for a in every if deed_of(a) == "decide"} == {"recipe", "reset", "only", "settle"}
    assert deed_of("drop", "bulk") == "decide"


def _calls(node: ast.AST) -> set[str]:
    return {call.func.id if isinstance(call.func, ast.Name) else call.func.attr for call in ast.walk(node)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name | ast.Attribute)}  # fmt: skip


def test_every_verb_that_writes_asks_first() -> None:
    seen = 0
    for path in [*(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]:
        tree, place = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix()
        imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        writers = {a.asname or a.name for n in imports for a in n.names if a.name in WRITERS.get(n.module or "", ())}
        assert not writers or place not in ("app.py",)
        for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
            named_here = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
            if writers & named_here and (place, function.name) not in UNASKED:
                seen += 1
                assert {"allowed", "need"} & _calls(function), f"{place}: {function.name} writes and asks nobody"
        loose = [n for n in tree.body if not isinstance(n, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)]
        assert not writers & {n.id for part in loose for n in ast.walk(part) if isinstance(n, ast.Name)}, place
    assert seen >= 12


def test_the_face_starts_no_command_that_the_table_does_not_know() -> None:
    started = set()
    for path in (ROOT / "ui").rglob("*.py"):
        for call in [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call) and ast.unparse(n.func) == "start"]:
            args = call.args[1] if len(call.args) > 1 else None
            if isinstance(args, ast.List) and isinstance(args.elts[0], ast.Constant):
                started.add(str(args.elts[0].value))
    assert {"load", "score", "run", "probe", "grow", "follow"} <= started <= {*work.DEED_OF}


class Served:
    """The app on forty measured rows, for whoever is logged in."""

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self.workspace = workspace
        self.path = small.write(folder)
        self.data = small.measured(self.path, workspace).dataset
        self.log = workspace.reviews(self.data.fingerprint)
        (workspace.root / "people.yaml").write_text(FILE, encoding="utf-8")

    def app(self, email: str, page: str = "explore/duplicates", **claims: Any) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.user = {**TOKEN, "email": email, "name": email.split("@")[0].title(), **claims}
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception
        return app

    def entries(self) -> tuple[Review, ...]:
        return read_log(self.log)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path: Path) -> Iterator[Served]:
    monkeypatch.delenv("CURATE_OPEN", raising=False)
    monkeypatch.delenv("CURATE_PEOPLE", raising=False)
    monkeypatch.setenv("CURATE_WORKSPACE", str(workspace.root))
    st.cache_resource.clear()
    yield Served(tmp_path, workspace)
    st.cache_resource.clear()


VERBS = """
import streamlit as st
from curate.part import ScoreThreshold
from ui import keeping, measuring, opening, shipping, state, versions
from ui.run import one_run

def verb(name):
    ids = state.scores().frame["row_id"].head(2).to_list()
    known = {
        "mark": lambda: state.mark("drop", ids[:1]),
        "bulk": lambda: state.mark("drop", ids, why="bulk"),
        "only": lambda: state.mark("only", ids),
        "limit": lambda: state.set_threshold("confidence", ScoreThreshold(keep="above", limit=0.5)),
        "reset": state.reset,
        "undo": state.undo,
        "score": lambda: measuring.measure(["exact_duplicate"]),
        "ensure": measuring.ensure,
        "open": lambda: opening.open_path(st.session_state["file"]),
        "ship": shipping.write_version,
        "untag": lambda: versions._untag("x"),
        "clean": keeping._clean,
    }
    known[name]()

for name in ["mark", "bulk", "only", "limit", "reset", "undo", "score", "ensure", "open", "ship", "untag", "clean"]:
    st.button(name, key=name, on_click=verb, args=(name,))
st.text(st.session_state.pop("refused", None) or "")
"""


def _verbs(served: Served, tmp_path: Path, email: str) -> AppTest:
    script = tmp_path / "verbs.py"
    script.write_text(VERBS, encoding="utf-8")
    app = AppTest.from_file(str(script), default_timeout=60)
    app.user = {**TOKEN, "email": email, "name": email.split("@")[0].title()}
    app.session_state["dataset"], app.session_state["file"] = served.data.key, str(served.path)
    return app.run()


def _click(app: AppTest, name: str) -> str:
    app.button(key=name).click().run()
    assert not app.exception, name
    return str(app.text[0].value)


def _kept(root: Path) -> set[str]:
    return {f"{p.relative_to(root)} {p.stat().st_size}" for p in root.rglob("*") if p.is_file()}


def test_a_viewer_writes_nothing_and_is_told_why(served: Served, tmp_path: Path) -> None:
    app = _verbs(served, tmp_path, "ben@example.org")
    before = _kept(served.workspace.root)
    for name in ("mark", "bulk", "only", "limit", "reset", "score", "open", "ship", "untag", "clean"):
        said = _click(app, name)
        assert "you are a viewer here" in said, name
    _click(app, "undo")
    _click(app, "ensure")
    assert _kept(served.workspace.root) == before


def test_a_reviewer_speaks_of_rows_and_an_owner_decides(served: Served, tmp_path: Path) -> None:
    reviewer, owner = (_verbs(served, tmp_path, f"{name}@example.org") for name in ("rita", "ana"))
    assert _click(reviewer, "mark") == ""
    for name in ("bulk", "only", "limit", "reset", "score", "open", "ship", "untag", "clean"):
        assert "you are a reviewer here" in _click(reviewer, name), name
    assert [(r.action, r.by) for r in served.entries()] == [("drop", "Rita")]
    assert _click(owner, "limit") == ""
    assert [(r.action, r.by) for r in served.entries()][1:] == [("recipe", "Ana")]
    _click(reviewer, "undo")
    assert len(served.entries()) == 2, "the last word is an owner's"
    _click(owner, "undo")
    _click(reviewer, "undo")
    assert [r.action for r in served.entries()] == ["drop", "recipe", "undo", "undo"]
    assert not fold(served.entries()).marked
    assert not jobs(served.workspace, every=True)


def test_another_with_the_same_name_takes_nothing_back(served: Served, tmp_path: Path) -> None:
    _click(_verbs(served, tmp_path, "rita@example.org"), "mark")
    other = _verbs(served, tmp_path, "eve@example.org")
    other.user = {**other.user, "name": "Rita"}
    _click(other, "undo")
    assert [r.action for r in served.entries()] == ["drop"]
    _click(_verbs(served, tmp_path, "rita@example.org"), "undo")
    assert [r.action for r in served.entries()] == ["drop", "undo"], "the same person at another window"


def test_pages_say_who_is_there_and_hold_buttons_back(served: Served) -> None:
    append(served.log, Review("recipe", "t", recipe={"dataset": {"path": str(served.path)}, "signals": small.QUICK, "thresholds": {
        "near_duplicate": LinkThreshold(limit=0.9).model_dump(mode="json")}}))  # fmt: skip
    app = served.app("ben@example.org", "ship/export")
    assert any("change nothing" in t.value for t in app.text)
    assert app.button(key="undo").disabled
    assert not [b for b in app.get("download_button") if "Parquet" in b.proto.label], "a download writes a Version"
    app.button(key="off-near_duplicate").click().run()
    assert not app.exception
    assert "Only an owner changes the recipe" in app.error[0].value
    assert served.entries()[-1].recipe is not None
    assert len(served.entries()) == 1
    app = served.app("rita@example.org", "decide/review")
    assert any(t.value == "Your name: Rita" for t in app.text)
    assert not any(box.label == "Your name" for box in app.text_input)
    app = served.app("ana@example.org", "ship/export")
    assert [b for b in app.get("download_button") if "Parquet" in b.proto.label]


def test_who_is_not_let_in_sees_no_row(served: Served) -> None:
    app = served.app("eve@elsewhere.org", "explore/rows")
    assert [t.value for t in app.title] == ["Not let in"]
    assert "dataset" not in app.session_state
    (served.workspace.root / "people.yaml").write_text("people: {eve@elsewhere.org: boss}", encoding="utf-8")
    app.run()
    assert [t.value for t in app.title] == ["This server is not set up"]
    (served.workspace.root / "people.yaml").write_text("people: {eve@elsewhere.org: viewer}", encoding="utf-8")
    app.run()
    assert [t.value for t in app.title] == ["Rows"], "the file is read anew, without a new start"
    (served.workspace.root / "people.yaml").write_text(FILE, encoding="utf-8")
    app.run()
    assert [t.value for t in app.title] == ["Not let in"]


def test_without_login_everyone_here_owns_and_elsewhere_nobody_does(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    (served.workspace.root / "people.yaml").unlink()
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    assert "owner" not in str(app.run().text)
    assert app.title[0].value == "Overview"
    monkeypatch.setattr("ui.person.NEAR", ())
    assert app.run().title[0].value == "This server is not set up"
    monkeypatch.setenv("CURATE_PEOPLE", "viewer")
    app.run()
    assert app.title[0].value == "Overview"
    assert any("change nothing" in t.value for t in app.text)
