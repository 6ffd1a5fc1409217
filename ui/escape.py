"""Text of the data as HTML that can only be read: nothing in it is markup, and nothing in it is unseen."""

from __future__ import annotations

import re

from curate.difference import Line, Piece

__all__ = ["line_html", "plain", "visible"]

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
ASCII_MARKS = re.compile(r"[!-/:-@\[-`{-~]")
LINK = re.compile(r"(?<=http)(?=s?://)|(?<=www)(?=\.)|(?<=@)(?=[-\w])", re.IGNORECASE)
JOINER = "\N{WORD JOINER}"
MARKUP = re.compile(r"[^\w\s]")


def visible(text: str) -> str:
    """Escaped text. Every sign that is no letter, digit or white space becomes a character reference; control and direction characters become their names."""
    return MARKUP.sub(lambda found: f"&#{ord(found[0])};", _named(text))


def _named(text: str) -> str:
    """Text with the names of its control and direction characters in their place."""
    return UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def plain(text: str) -> str:
    """Text for a place that reads markdown (labels, captions, errors, help), as text: no image is loaded, nothing is a link, nothing is unseen.

    Addresses get a word joiner, which is not seen: Streamlit links them even where every sign of them is escaped.
    """
    return ASCII_MARKS.sub(lambda found: f"\\{found[0]}", LINK.sub(JOINER, _named(text)))


def line_html(line: Line) -> str:
    """A line of two texts as cells of a `difference` grid."""
    if line.hidden:
        return f'<div class="hidden">{line.hidden:,} lines alike</div>'
    return f"<div>{_pieces(line.first)}</div><div>{_pieces(line.second)}</div>"


def _pieces(pieces: tuple[Piece, ...]) -> str:
    return "".join(visible(p.text) if p.side == "both" else f'<span class="{p.side}">{visible(p.text)}</span>' for p in pieces)
