"""Every page of the audit on datasets that lack what it needs: it says what that is and how to give it, and is never a traceback or a blank."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from curate.errors import InputError
from curate.load import load
from curate.measure import measure
from curate.recipe import parse_recipe
from curate.reviews import Review, append
from curate.task import plan
from curate.workspace import Workspace

ROOT = Path(__file__).parent.parent
APP = ROOT / "app.py"
PAGES = {path.stem: str(path.relative_to(ROOT)) for path in sorted((ROOT / "pages" / "audit").glob("*.py"))}
OWN: dict[str, dict[str, Any]] = {
    "embedding": {"model": "wordllama"}, "label_issue": {}, "pii": {}, "license": {}, "contamination": {}, "coverage": {}, "importance": {},
    "mismatch": {}, "exact_duplicate": {}, "near_duplicate": {}, "tokens": {},
}  # fmt: skip
COMPARED = {**OWN, "contamination": {"reference": "REFERENCE"}, "coverage": {"reference": "REFERENCE"}, "importance": {"reference": "REFERENCE"}}
WORDS = ("river", "engine", "violin", "garden", "soup", "letter")
TEXTS = [{"text": f"Some plain {WORDS[i % 6]} words about day {i} of the {WORDS[i * i % 6]}"} for i in range(12)]
WHOLE = [
    {**row, "label": "ab"[i % 2], "source": "xy"[i % 2], "license": "MIT", "annotations": ["a", "ab"[i % 2]], "text": row["text"] + f" a{i}@example.org"}
    for i, row in enumerate(TEXTS)
]
GROUNDED = [{"prompt": f"Why {i}?", "context": row["text"], "response": f"Because of {row['text']}"} for i, row in enumerate(TEXTS)]
PICTURE = "![x](https://evil.example/x.png)"
ODD = [{**row, "rating": i % 2, "source": PICTURE} for i, row in enumerate(GROUNDED)]
DATA: dict[str, tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]] = {
    "only a text": (TEXTS, OWN),
    "no text": ([{"id": i} for i in range(12)], COMPARED),
    "blank text": ([{"text": " ", "label": "a"}] * 12, COMPARED),
    "one row": (WHOLE[:1], COMPARED),
    "nothing measured": (WHOLE, {}),
    "text that nothing was asked of": (TEXTS, {}),
    "judged, nothing kept": (WHOLE, COMPARED),
    "context, by meaning only": (GROUNDED, {**OWN, "grounding_cosine": {"model": "wordllama"}}),
    "context, rated by columns of odd names": (ODD, {**OWN, "grounding": {}}),
}


NO_LICENCE = "No column has the role license"
NO_TEXT = "needs the role prompt, context or response"
SAYS: dict[str, dict[str, str]] = {
    "annotators": {"": "No ratings are known", "one row": "2 people gave 2 ratings", "nothing measured": "2 people gave 24", "judged": "2 people gave 24"},
    "contamination": {"": "No evaluation files are named", "no text": NO_TEXT, "blank text": "12 rows have no words", "one row": "No row to show",
                      "judged": "No row to show"},
    "coverage": {"": "Without a reference only the balance", "no text": NO_TEXT,
                 "blank text": "of the reference; the closest row here", "one row": "of the reference; the closest row here",
                 "judged": "Every row of the reference has a neighbour here"},
    "grounding": {"": "No column is known to hold responses", "context, by meaning only": "Claims without support are not sought yet",
                  "context, rated by columns of odd names": "12 rows of 12 have a context"},
    "labels": {"": "needs the role label", "blank text": "Two labels with five rows each are needed", "one row": "Two labels with five rows each are needed",
               "nothing measured": "Not measured yet", "judged": "rows to judge"},
    "licences": {"": "Name above the licence of the dataset", "context, rated by columns of odd names": NO_LICENCE, "one row": "The column license says it",
                 "nothing measured": "Not measured yet",
                 "judged": "The column license says it"},
    "mismatch": {"": "Name gold rows, a second language model", "no text": NO_TEXT, "blank text": "no row has a text of its own",
                 "one row": "Reference: those of 36 rows", "judged": "Reference: those of 36 rows"},
    "noise": {"": "No sample is drawn yet", "judged": "0 bad of 6 judged rows"},
    "personal": {"": "Nothing was found", "text that nothing was asked of": "Not measured yet",
                 "no text": NO_TEXT, "one row": "1 finding in 1 row", "nothing measured": "Not measured yet", "judged": "12 findings"},
}  # fmt: skip
"""What each page says by the first word or all of a dataset's name; "" for all others."""


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Workspace]:
    """A workspace for each dataset, measured as far as it can be."""
    found = {}
    for name, (rows, signals) in DATA.items():
        folder = tmp_path_factory.mktemp("data")
        write = {"rows": rows, "wanted": [{"text": f"{row['text']} indeed"} for row in TEXTS] * 3}
        for file, content in write.items():
            (folder / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
        asked = {n: {k: str(folder / "wanted.jsonl") if v == "REFERENCE" else v for k, v in given.items()} for n, given in signals.items()}
        parts: dict[str, Any] = {"dataset": {"path": str(folder / "rows.jsonl")}, "signals": asked}
        recipe = parse_recipe(parts | ({"budget": {"rows": 0}} if "nothing kept" in name else {}), "recipe")
        work = Workspace.at(folder / "workspace")
        data = load(str(folder / "rows.jsonl"), work)
        measure(data, plan(data, recipe.signals), work, "inline")
        log = work.reviews(data.fingerprint)
        append(log, Review("recipe", "test", recipe=recipe.model_dump(mode="json", exclude_none=True)))
        if name.startswith("judged"):
            ids = tuple(data.scan().select("row_id").collect()["row_id"])
            append(log, Review("sample", "test", rows=ids, value="source"))
            append(log, Review("judge", "test", "ann", ids[:6], "good"))
        found[name] = work
    return found


def _said(app: AppTest) -> str:
    return "\n".join(str(e.value) for e in [*app.main.text, *app.main.caption, *app.main.markdown, *app.main.subheader])


@pytest.mark.parametrize("name", list(DATA))
@pytest.mark.parametrize("page", list(PAGES))
def test_a_page_that_lacks_something_says_what_and_how_to_give_it(
    app: AppTest, worked: dict[str, Workspace], monkeypatch: pytest.MonkeyPatch, name: str, page: str
) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(worked[name].root))
    app.switch_page(PAGES[page]).run()
    assert not app.exception
    assert not app.error
    says, said = SAYS.get(page, {"": ""}), _said(app)
    wanted = says.get(name, says.get(name.split(",")[0], says[""]))
    assert wanted in said
    if "role" in wanted or "No column" in wanted:
        assert app.main.get("page_link"), "the way to the roles"
    if "Not measured" in wanted:
        assert any(b.label.startswith("Measure ") for b in app.main.button)
    if name.startswith("judged"):
        assert next(m.value for m in app.metric if m.label == "Rows kept").startswith("0 of 12")


def test_the_worth_and_the_report_are_there_before_a_sample_is(app: AppTest, worked: dict[str, Workspace], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(worked["nothing measured"].root))
    app.switch_page(PAGES["noise"]).run()
    values = {m.label: m.value for m in app.main.metric}
    assert (values["Effective information"], values["After duplicates"]) == ("–", "–")
    assert app.main.get("download_button")
    assert len(app.dataframe[0].value) == 2


def test_a_file_without_rows_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(InputError, match="Give a file with rows"):
        load(str(tmp_path / "none.jsonl"), workspace)
