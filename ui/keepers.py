"""Who stays of rows that are alike: the choice, and what each policy would keep."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import streamlit as st

from curate import groups
from curate.crossfilter import numeric_columns
from curate.part import LinkThreshold
from curate.scores import Scores
from ui import state
from ui.shown import Shown
from ui.widgets import key_of

__all__ = ["keeper_control"]

OPTIONS = {"longest": "the longest row", "first": "the first row", "best": "the best row by a score"}
MOST = 8  # policies compared

Put = Callable[[str, str, object], None]


def keeper_control(now: Shown, put: Put) -> None:
    """Choose the keeper, and compare it with others. put: sets a field of the threshold."""
    name, keeper = now.name, now.threshold.keeper
    scores = [c.name for columns in numeric_columns(state.scores()).values() for c in columns]
    chosen, held = [o for o in OPTIONS if o != "best" or scores or keeper.startswith(o)], keeper.partition(":")[0]
    key = key_of(f"keeper-{name}", held)

    def choose() -> None:
        value = st.session_state[key]
        put(name, "keeper", f"best:{scores[0]}" if value == "best" else value)

    st.selectbox("Of rows that are alike, keep", chosen, chosen.index(held), key=key, format_func=OPTIONS.__getitem__, on_change=choose)
    if keeper.startswith("best:"):
        _score(name, keeper, scores, put)
    with st.popover("Compare keepers", width="stretch", key=f"compare-{name}", on_change="rerun") as compare:
        if compare.open:
            _compare(now)


def _score(name: str, keeper: str, scores: list[str], put: Put) -> None:
    best, names = key_of(f"best-{name}", keeper), list(dict.fromkeys([*(f"best:{s}" for s in scores), keeper]))

    def choose() -> None:
        put(name, "keeper", st.session_state[best])

    about = "The highest is best, unless a low value is what the score proposes to keep"
    st.selectbox("Score", names, names.index(keeper), key=best, format_func=lambda k: k.removeprefix("best:"), on_change=choose, help=about)


@st.cache_data(max_entries=16, show_spinner="Comparing …")
def _what_if(key: str, threshold: LinkThreshold, policies: tuple[str, ...], _now: Shown, _scores: Scores) -> pl.DataFrame:
    del key
    return groups.what_if(_scores, _now.links, threshold, _now.found.hand, policies)


def _compare(now: Shown) -> None:
    """A table of what each policy would keep at this limit."""
    measured = state.scores()
    policies = tuple(dict.fromkeys([now.threshold.keeper, *groups.keepers(measured)]))[:MOST]
    table = _what_if(now.key, now.threshold, policies, now, measured)
    said = table["keeper"].map_elements(lambda k: OPTIONS.get(k) or k.removeprefix("best:").replace("_", " "), return_dtype=pl.String)
    number = st.column_config.NumberColumn
    table = table if table["tokens"].null_count() == 0 else table.drop("tokens")
    st.dataframe(
        table.with_columns(said.alias("keeper")),
        hide_index=True,
        width=460,
        column_config={
            "keeper": st.column_config.TextColumn("keep", width=190),
            "kept": number("rows kept", format="localized"),
            "tokens": number("tokens kept", format="localized"),
            "others": number("other rows", help="Kept rows that would go by the keeper that holds now", format="localized"),
        },
    )
