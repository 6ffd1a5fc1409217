"""The report: it quotes no row unless asked, then with personal data redacted unless that is asked for too; it is escaped and opens without a network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.__main__ import main
from curate.audit import audit
from curate.example import examples, hidden, redacted
from curate.part import ScoreThreshold
from curate.recipe import Recipe
from curate.report import report_page
from curate.scores import Scores
from curate.task import plan
from curate.workspace import Workspace
from tests import small

MAIL, CARD = "anna.berg@example.org", "4111 1111 1111 1111"
SIGNALS: dict[str, dict[str, object]] = {"exact_duplicate": {}, "near_duplicate": {}, "text_quality": {}}


def _rows() -> list[dict[str, str]]:
    said = [f"<script>alert({i})</script> row {i} of some plain words, \u202eturned, https://example.org/{i}" for i in range(20)]
    said[3] += f" write to {MAIL}"
    said[4] += f" and pay with {CARD}"
    return [{"response": text, "source": "me@corp.com" if i % 2 else "<b>app</b>"} for i, text in enumerate([*said, said[3]])]


def _measured(folder: Path, signals: dict[str, dict[str, object]]) -> tuple[Scores, Recipe]:
    recipe, workspace, data = small.recipe_file(folder, _rows(), {"response": "response", "source": "source"}, {**SIGNALS, **signals})
    return Scores(data, workspace, plan(data, recipe.signals)), recipe.with_threshold("text_quality_words", ScoreThreshold(keep="below", limit=3))


def _alone(page: str) -> bool:
    """Whether a page loads nothing: no element but those of a text, no address in an attribute or a style, no script."""
    tags = set(re.findall(r"<([a-zA-Z]+)", page))
    return not tags & {"script", "img", "link", "iframe", "object", "a", "base", "form", "image", "use"} and not re.search(
        r"(?i)\s(src|href|srcset|on\w+)\s*=|url\(|@import", re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    )


def test_no_row_is_quoted_unasked_and_personal_names_are_hidden(tmp_path: Path) -> None:
    scores, recipe = _measured(tmp_path, {})
    page = report_page(scores.dataset.name, audit(scores, recipe))
    assert _alone(page)
    assert "quotes none" in page
    assert "me@corp.com" not in page
    assert "[EMAIL_ADDRESS]" in page
    assert "&lt;b&gt;app&lt;/b&gt;" in page
    assert not any(row["response"][10:40] in page for row in _rows())


@pytest.mark.parametrize("measured", [{}, {"pii": {}}, {"pii": {"types": ["EMAIL_ADDRESS"]}}, {"pii": {"threshold": 1.0}}, {"pii": {"types": []}}])
def test_quoted_rows_are_redacted_escaped_and_the_most_extreme(tmp_path: Path, measured: dict[str, dict[str, object]]) -> None:
    scores, recipe = _measured(tmp_path, measured)
    found = examples(scores, recipe, 5)
    assert len(found["text_quality_words"]) == 5
    words = scores.frame["text_quality_words"]
    assert [words[e.position] for e in found["text_quality_words"]] == sorted(words.to_list(), reverse=True)[:5]
    assert found["near_duplicate"][0].value.startswith("1.000 alike")
    page = report_page(scores.dataset.name, audit(scores, recipe), found)
    assert _alone(page)
    assert MAIL not in page
    assert CARD not in page
    assert "[CREDIT_CARD]" in page
    assert "&lt;script&gt;" in page


def test_personal_data_stays_where_it_is_asked_for_and_the_page_says_so(tmp_path: Path) -> None:
    scores, recipe = _measured(tmp_path, {})
    page = report_page(scores.dataset.name, audit(scores, recipe), examples(scores, recipe, 5, personal=True), personal=True)
    assert MAIL in page
    assert CARD in page
    assert "me@corp.com" in page
    assert "This report holds personal data" in page.split("</p>")[0]
    assert _alone(page)


def test_the_command_writes_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _measured(tmp_path, {})
    given = ["audit", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path / "workspace")]
    assert main([*given, "--out", str(tmp_path / "new" / "a.html"), "--rows", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 21
    page = (tmp_path / "new" / "a.html").read_text(encoding="utf-8")
    assert page.count("<pre>") >= 2
    assert MAIL not in page
    for wrong, said in ((["--rows", "2"], "--out REPORT.html"), (["--personal"], "--out REPORT.html"), (["--rows", "-1", "--out", "x.html"], "0 or more")):
        assert main([*given, *wrong]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error


@pytest.mark.parametrize(
    "text", ["dataset: {path: nothing.jsonl}\n", "dataset: {path: x\n", "datasets: {}\n", "dataset: {path: rows.jsonl}\nsignals: {nope: {}}\n"]
)
def test_a_bad_recipe_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (tmp_path / "rows.jsonl").write_text('{"response": "a"}\n')
    (tmp_path / "r.yaml").write_text(text)
    assert main(["audit", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path / "workspace"), "--out", str(tmp_path / "a.html")]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("curate:")]
    assert len(said) == 1
    assert not (tmp_path / "a.html").exists()


def test_with_nothing_measured_the_report_says_so(tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": 1}\n{"id": 2}\n')
    (tmp_path / "r.yaml").write_text("dataset: {path: rows.jsonl}\nsignals: {tokens: {}}\n")
    out = tmp_path / "a.html"
    assert main(["audit", str(tmp_path / "r.yaml"), "--workspace", str(workspace.root), "--out", str(out), "--rows", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows_after_duplicates"], told["saturation"], told["advice"], told["effective_information"]["by"]) == (None, None, [], {})
    page = out.read_text(encoding="utf-8")
    assert "Nothing was measured that has a limit" in page
    assert "Nothing can be said yet" in page
    assert "<h2>Not measured</h2>" in page


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_what_is_found_is_gone(text: str, at: list[int]) -> None:
    cuts = sorted({min(i, len(text)) for i in at})
    places = list(zip(cuts[::2], cuts[1::2], strict=False))
    said = redacted(text, [{"type": "X", "start": a, "end": b} for a, b in places])
    assert said.count("[X]") >= len(places)
    assert all(text[a:b] not in part for a, b in places if b - a >= 5 for part in said.split("[X]"))
    assert redacted(text, []) == text


def test_names_that_would_fall_together_stay_apart() -> None:
    assert hidden({"a@corp.com": 1, "b@corp.com": 2, "plain": ["c", 3]}) == {"[EMAIL_ADDRESS] 1": 1, "[EMAIL_ADDRESS] 2": 2, "plain": ["c", 3]}
    assert hidden({"a@corp.com": 1, "[EMAIL_ADDRESS]": 2}) == {"[EMAIL_ADDRESS] 1": 1, "[EMAIL_ADDRESS]": 2}
