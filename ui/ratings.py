"""Where the ratings stand: what forms they may have, and the columns of a long form, which the recipe keeps."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from pydantic import ValidationError

from curate.annotation import WHAT, WHO
from curate.longform import columns_of_file, with_ratings
from curate.part import Annotations
from curate.readers.file import hashes
from ui import state
from ui.annotated import annotated
from ui.comparing import typed
from ui.escape import plain
from ui.widgets import attempt, beside

__all__ = ["FORMS", "long_form"]

FORMS = (
    "Ratings may come in three forms.\n"
    "Several columns, one for each person: give all of them the role annotations.\n"
    "One column of lists, of values or of entries such as {annotator, label}: give it the role annotations.\n"
    "Long form, a line for each item, person and value, in a file or as the rows of this dataset: choose its columns above."
)
ITEMS = ("item", "item_id", "id", "row_id", "example", "example_id", "task", "task_id", "unit")


def long_form() -> None:
    """Choose a file of ratings, or this dataset's own rows, and its columns; what is chosen goes into the recipe."""
    held = state.recipe().annotations
    data = state.scores().dataset
    wrong = annotated(data, held, state.workspace())[1]
    with st.expander("Ratings in long form", expanded=bool(wrong) or not data.rated, icon=":material/table_rows:"):
        if wrong:
            st.error(plain(wrong), icon=":material/error:")
        now = (held.path or "") if held else ""
        path = st.text_input(
            "File of ratings", now, key=f"long-path-{now}", placeholder="ratings.csv; empty where the rows of this dataset are the ratings", help=_ABOUT
        ).strip()
        own = [name for name, _ in data.columns]
        columns: list[str] = []
        if attempt(lambda: columns.extend(_columns_of(typed(path)) if path else own)):
            _choose(path, columns, own, held)
        elif held is not None:
            st.button("Take the long form off", on_click=_set, args=(None,), key="long-off")


_ABOUT = "A file, folder or pattern with a line for each item, person and value: CSV, JSONL, Parquet or what else can be opened"


def _choose(path: str, columns: list[str], own: list[str], held: Annotations | None) -> None:
    """One choice a column, and the button that lets them hold."""
    places = beside("long-form", 1, 1, 1, 1)

    def choice(at: int, label: str, names: list[str], now: str | None, likely: Sequence[str], about: str) -> str | None:
        guess = next((n for wanted in likely for n in names if n.lower() == wanted), None)
        first = now if now in names else guess
        with places[at]:
            index = names.index(first) if first is not None else None
            return st.selectbox(label, names, index, key=f"long-{at}-{path}-{first}-{len(names)}", placeholder="no column", help=about)

    told = held or Annotations.model_construct(item=None, rater=None, value=None)
    item = choice(0, "Item", columns, told.item, ITEMS, "Says which item a rating is of")
    rater = choice(1, "Person", columns, told.rater, [n for n in WHO if n != "id"], "Says who gave it")
    value = choice(2, "Value", columns, told.value, WHAT, "Says what they gave")
    key = (
        choice(3, "Key here", [*own, "row_id"], told.key or told.item, [(item or "").lower(), *ITEMS], "The column of this dataset that holds the items")
        if path
        else None
    )
    given = {"path": path or None, "item": item, "rater": rater, "value": value, "key": key if key != item else None}
    ready = bool(item and rater and value and (key or not path)) and (held is None or given != held.model_dump())
    with st.container(horizontal=True, gap="small"):
        asked = st.button("Use these columns", type="primary", key="long-use", disabled=not ready)
        if held is not None:
            st.button("Take the long form off", on_click=_set, args=(None,), key="long-off")
    if asked:
        _use(given)


def _use(given: dict[str, str | None]) -> None:
    """Let a long form hold, or say why it cannot."""
    try:
        wanted = Annotations.model_validate({**given, "path": typed(given["path"]) if given["path"] else None})
    except ValidationError as error:
        st.error(plain(error.errors()[0]["msg"].removeprefix("Value error, ")), icon=":material/error:")
        return
    if attempt(lambda: with_ratings(state.scores().dataset, wanted, state.workspace())):
        _set(wanted)
        st.rerun()


def _set(wanted: Annotations | None) -> None:
    state.change(state.recipe().model_copy(update={"annotations": wanted}))


def _columns_of(path: str) -> list[str]:
    return _read(path, *hashes([path]))


@st.cache_data(max_entries=16, show_spinner="Reading the file of ratings")
def _read(path: str, *content: str) -> list[str]:
    del content
    return columns_of_file(path)
