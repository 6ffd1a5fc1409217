"""Text of the data is only ever read: escaped it has no markup, links nothing, says the same and hides nothing."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from curate.difference import difference, side_by_side
from tests.hostile import TEXTS
from ui.escape import JOINER, UNSEEN, line_html, plain, visible

HOSTILE = TEXTS[:10]
AUTOLINK = re.compile(r"https?://[-.\w]|www\.[-.\w]|[-.\w+]@[-\w]+(\.[-\w]+)+", re.IGNORECASE)
"""What Streamlit links in any text, however it is escaped (the expressions of mdast-util-gfm-autolink-literal)."""


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


MARKED = st.lists(st.sampled_from(["http://", "https://a", "www.", "a@b.c", *"![](x)*_`$<>&#:~\\|"])).map("".join)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"])) | MARKED | st.sampled_from(HOSTILE[:6]))
def test_text_in_markdown_stays_text(text: str) -> None:
    from markdown_it import MarkdownIt

    shown = Reader(MarkdownIt().renderInline(plain(text)))
    assert not shown.tags
    assert shown.text.replace(JOINER, "") == UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
    assert not AUTOLINK.search(shown.text)


def test_what_cannot_be_seen_is_named() -> None:
    assert Reader(visible("a\u202eb\x00c\u200bd")).text == "a⟨U+202E⟩b⟨U+0000⟩c⟨U+200B⟩d"
    assert plain("a\u202eb\x00c\u200bd\x1be") == "a⟨U\\+202E⟩b⟨U\\+0000⟩c⟨U\\+200B⟩d⟨U\\+001B⟩e"
    assert plain("line\n\ttab") == "line\n\ttab"
    assert Reader(visible("line\n\ttab")).text == "line\n\ttab"


@given(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE))
def test_a_difference_is_made_of_two_elements_only(first: str, second: str) -> None:
    html = "".join(line_html(line) for line in side_by_side(difference(first[:500], second[:500])))
    assert {(tag, tuple(attrs)) for tag, attrs in Reader(html).tags} <= {("div", ()), ("span", (("class", "first"),)), ("span", (("class", "second"),))}
