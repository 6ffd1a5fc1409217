"""Recipes to start from, for the dataset in hand."""

from __future__ import annotations

import streamlit as st

from curate.dataset import Dataset
from curate.deciding import in_words, of
from curate.errors import CurateError
from curate.preset import PRESETS, Made, preset
from curate.rate import percent
from ui import measuring, state
from ui.widgets import count

__all__ = ["start_from"]


@st.cache_data(max_entries=32, show_spinner=False, ttl=60)
def _made(key: str, name: str, _data: Dataset) -> Made | str:
    """The preset, or why there is none here."""
    del key
    try:
        return preset(name, _data)
    except CurateError as error:
        return str(error)


def start_from() -> None:
    """Choose a preset, see what it would do here, and let it hold; undo takes it back."""
    data = state.scores().dataset
    name = st.radio(
        "Start from",
        list(PRESETS),
        key="preset",
        format_func=lambda n: PRESETS[n].title,
        captions=[p.about for p in PRESETS.values()],
        label_visibility="collapsed",
    )
    made = _made(f"{data.key} {data.roles}", str(name), data)
    if isinstance(made, str):
        st.text(made)
        return
    st.text("\n".join(_told(made)))
    about = f"In the place of the {in_words()} that hold now. What you decided by hand stays; undo brings the old recipe back."
    st.button("Use this preset", type="primary", key="preset-use", on_click=_use, args=(made,), icon=":material/play_arrow:", help=about)


def _told(made: Made) -> list[str]:
    recipe, found = made.recipe, []
    found += [f"• {count(len(recipe.thresholds), 'thresholds')}: {', '.join(n.replace('_', ' ') for n in recipe.thresholds)}"] if recipe.thresholds else []
    found += [f"• rank: {recipe.rank.score}"] if recipe.rank else []
    if recipe.budget:
        part = recipe.budget
        most = f"{count(part.rows, 'rows')}" if part.rows is not None else f"{percent(part.share or 0.0, 0)} of the rows"
        found.append(f"• budget: {most}{f' of each {part.per}' if part.per else ''}")
    found.append(f"• measures {', '.join(n.replace('_', ' ') for n in recipe.signals)}")
    return found + [f"• left out: {why}" for why in made.left_out]


def _use(made: Made) -> None:
    """All that decides is the preset's, as `curate preset` prints it; what it needs beyond what is measured begins in the background."""
    if not state.changed(of(state.recipe(), made.recipe)):
        return
    todo = [n for n in made.recipe.signals if (task := measuring.task_of(n)) is not None and measuring.status(task) in ("not measured", "failed")]
    if todo:
        measuring.measure(todo)
