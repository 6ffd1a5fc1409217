"""Text of the data is only ever read: hostile texts on the pages that show rows, in a real Chromium, load nothing, run nothing and hide nothing."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from curate.difference import difference, side_by_side
from curate.load import load
from curate.measure import measure
from curate.task import plan
from curate.workspace import Workspace
from tests.browser import browser, server, settled
from ui.escape import line_html, plain, visible

EVIL = "evil.invalid"
HOSTILE = [
    f'<img src="http://{EVIL}/img.png" onerror="window.ran=1">',
    f"![picture](http://{EVIL}/markdown.png) [link](javascript:window.ran=2) <http://{EVIL}/auto>",
    f"<script>window.ran=3</script><svg onload=window.ran=4><style>@import url(http://{EVIL}/a.css); * {{ display: none }}</style>",
    f'</div></span><iframe srcdoc="<script>parent.ran=5</script>"></iframe><link rel=stylesheet href=//{EVIL}/b.css>',
    f'&lt;img src=//{EVIL}/c.png&gt; &#60;img src=//{EVIL}/d.png&#62; " onmouseover="window.ran=6" \' `',
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=//{EVIL}/e.png onerror=window.ran=7&gt;'>",
    f":material/home: :red[red] $\\href{{http://{EVIL}/tex}}{{x}}$ | a | b |\n|---|---|\n```\n</code></pre><img src=//{EVIL}/f.png>",
    "user\u202ereversed\u202c zero\u200bwidth \u2066isolate bell\x07 escape\x1b[31m nul\x00 delete\x7f c1\x85\x9b bom\ufeff",
    "x" * 30_000,
    "שלום עולם مرحبا 你好 e\u0301 👩‍👩‍👧",
]


class Reader(HTMLParser):
    """Collects tags and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text() | st.sampled_from(HOSTILE))
def test_escaped_text_has_no_markup_and_says_the_same(text: str) -> None:
    shown = Reader(visible(text))
    assert not shown.tags
    assert not set("<>&\"'`=") & set(visible(text).replace("&#", "").replace(";", ""))
    if all(unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Cs") for c in text):
        assert shown.text == text


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]) | st.sampled_from("![](x)*_`$<>&#:~\\|")) | st.sampled_from(HOSTILE[:6]))
def test_text_in_markdown_stays_text(text: str) -> None:
    from markdown_it import MarkdownIt

    shown = Reader(MarkdownIt().renderInline(plain(text)))
    assert not shown.tags
    assert shown.text == text


def test_what_cannot_be_seen_is_named() -> None:
    assert Reader(visible("a\u202eb\x00c\u200bd")).text == "a⟨U+202E⟩b⟨U+0000⟩c⟨U+200B⟩d"
    assert Reader(visible("line\n\ttab")).text == "line\n\ttab"


@given(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE))
def test_a_difference_is_made_of_two_elements_only(first: str, second: str) -> None:
    html = "".join(line_html(line) for line in side_by_side(difference(first[:500], second[:500])))
    assert {(tag, tuple(attrs)) for tag, attrs in Reader(html).tags} <= {("div", ()), ("span", (("class", "first"),)), ("span", (("class", "second"),))}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str, list[str]]]:
    """A page on a server that has the hostile rows open, each twice; its address; the row ids."""
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / f"![f](http:||{EVIL}|file.png).jsonl".replace("|", "\\")
    number = f"![n](http://{EVIL}/column.png)"
    words = ("same words here", "other words here")
    rows = [{"prompt": text, "response": f"{text} {other}", "note": text, number: len(text)} for text in HOSTILE for other in words]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    work = Workspace.at(folder / "workspace")
    data = load(str(path), work)
    signals: dict[str, dict[str, object]] = {"exact_duplicate": {"of": "prompt"}, "near_duplicate": {}}
    measure(data, plan(data, signals), work, "inline")
    recipe = folder / "hostile.yaml"
    keep = "thresholds: " + json.dumps({"exact_duplicate": {"limit": 1.0}, number: {"keep": "below", "limit": 90_000}})
    recipe.write_text(f"dataset: {{path: {json.dumps(str(path))}}}\nsignals: {json.dumps(signals)}\n{keep}\n", encoding="utf-8")
    with server(work.root, recipe) as address, browser() as chrome:
        page = chrome.new_page(viewport={"width": 1440, "height": 1400})
        yield page, address, data.scan().collect()["row_id"].to_list()


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_hostile_rows_load_and_run_nothing(hostile: tuple[Page, str, list[str]]) -> None:
    page, address, ids = hostile
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    for name in ("thresholds", "overview", "export", "rows"):
        page.goto(f"{address}/{name if name != 'overview' else ''}")
        settled(page, name.capitalize())
        expect(page.locator(".st-key-frame")).to_contain_text("column.png")
    page.locator("[data-testid=stDataFrame] canvas").first.wait_for()
    for row_id in ids[::2]:
        page.goto(f"{address}/row?row={row_id}")
        settled(page, "One row")
        page.locator(".difference .name").first.wait_for()
        strange = "[...document.querySelectorAll('.difference *')].filter(e => !['DIV', 'SPAN'].includes(e.tagName) || e.attributes.length > 1)"
        assert page.evaluate(f"{strange}.length") == 0
    assert page.evaluate("window.ran") is None
    assert [url for url in asked if EVIL in url] == []
    page.goto(f"{address}/row?row={ids[14]}")
    settled(page, "One row")
    assert "⟨U+202E⟩" in page.locator(".difference").inner_text()
