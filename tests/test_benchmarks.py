"""The figures of README.md and docs/figures.md are those of the committed results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.report import DRAWN, FIGURES, MARKS, PICTURE, README, Results, growth, headline, picture, read_results, report


@pytest.mark.parametrize(("file", "say"), [(FIGURES, report), (README, headline)], ids=["figures.md", "README.md"])
def test_a_page_says_what_was_measured(file: Path, say: Callable[[Results], str]) -> None:
    said = file.read_text().split(MARKS[0])[1].split(MARKS[1])[0].strip()
    assert said == say(read_results()), "python -m benchmarks.report writes them anew"


def test_the_picture_is_of_the_same_results() -> None:
    drawn = picture(read_results())
    assert PICTURE.read_text() == drawn
    root = ElementTree.fromstring(drawn)
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == len(DRAWN)


def test_growth_is_the_slope_on_logarithms() -> None:
    assert growth({("load", rows): {"cpu_seconds": rows / 1e5} for rows in (10_000, 100_000, 1_000_000)}, "load") == pytest.approx(1)
    assert growth({("load", 10_000): {"cpu_seconds": 3}}, "load") is None
