"""The controls of a budget: how much is kept, of what, and how different the rows should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import streamlit as st
from pydantic import ValidationError

from curate.applying import applicable, before_budget
from curate.budget import OTHERS, values_of
from curate.corrected import values_key
from curate.diversity import Candidates
from curate.part import Budget, Diversity
from curate.reviews import Review
from curate.roles import Role
from curate.scores import Scores
from curate.selection import Selection
from ui import measuring, state
from ui.browsing import version
from ui.escape import plain
from ui.slide import Stops, slide
from ui.widgets import count, key_of

__all__ = ["candidates", "controls", "parts", "read_amount", "said_amount", "say_order", "set_amount"]

KINDS = {"off": "Off", "rows": "Rows", "tokens": "Tokens", "share": "Share"}
BY = {"off": "Off", "facility": "Facility location", "kcentre": "k-centre"}
NEEDS = {"facility": "neighbour", "kcentre": "embedding"}
WORDS = {"neighbour": "nearest neighbours are", "embedding": "embedding is"}
ALL = "all rows together"
VALUES = 200  # of a column, to be the groups of a budget
FIRST = 0.2  # of the rows: a budget to begin with
PARTS = {"quota": "at most", "floor": "at least"}


def candidates() -> Candidates:
    """What comes to the budget, of what can be applied of the recipe."""
    now, measured = state.recipe(), state.scores()
    return before_budget(measured, applicable(now, {**state.waiting(), "budget": ""}), state.decided().marked)


def say_order(found: Candidates) -> None:
    """By what rows are taken."""
    now = state.recipe()
    if "rank" in state.waiting():
        st.caption(plain(f"The score is not applied yet: {state.waiting()['rank']}. Until then rows come in file order."))
    elif found.score is None:
        st.caption("The recipe has no score, so rows come in file order: the first of the file are kept. Pinned rows come first in any case.")
    elif now.rank is not None:
        st.text(f"Rows come by score, the highest first: {now.rank.score}")


def _change(given: Mapping[str, Any]) -> None:
    """Let the recipe's budget be this; what cannot be is said on the page."""
    try:
        state.change(state.recipe().model_copy(update={"budget": Budget.model_validate(given) if given else None}))
    except ValidationError as error:
        st.session_state["budget-error"] = error.errors()[0]["msg"].removeprefix("Value error, ")


def _given() -> dict[str, Any]:
    budget = state.recipe().budget
    return {} if budget is None else budget.model_dump(exclude_none=True)


def set_amount(rows: int, tokens: float, every: int) -> None:
    """Set the budget to as many rows, in its own unit; tokens: that they have; every: rows that come to it. Quotas and diversity stay."""
    given = _given()
    kind = next((k for k in ("tokens", "share") if k in given), "rows")
    if kind == "tokens" and np.isnan(tokens):
        kind = "rows"
    amount: float = {"rows": rows, "tokens": int(np.nan_to_num(tokens)), "share": rows / max(1, every)}[kind]
    _change({**{k: v for k, v in given.items() if k not in KINDS}, kind: amount})


def controls(found: Candidates) -> None:
    """How much, of each value of what, and how different."""
    if told := st.session_state.pop("budget-error", None):
        st.error(plain(str(told)), icon=":material/error:")
    now, every = state.recipe().budget, int(found.left.sum())
    kind = "off" if now is None else next(k for k in ("rows", "tokens", "share") if getattr(now, k) is not None)
    key = key_of("budget-kind", kind)
    st.selectbox("Budget in", list(KINDS), list(KINDS).index(kind), format_func=KINDS.__getitem__, key=key, on_change=_kind, args=(key, found))
    if found.tokens is None:
        st.caption("Tokens are not counted yet, so a budget in tokens cannot be applied.")
        _measure("tokens", "Count tokens")
    if now is None:
        st.caption(f"{count(every, 'rows')} come to the budget. Click in the picture, or choose a unit, to set one.")
        return
    _amount(now, kind, found)
    _per(now)
    _diversity(now, found)


def _measure(signal: str, label: str) -> None:
    """What is missing and the button that measures it."""
    task = measuring.task_of(signal)
    if task is not None and task.skip:
        st.caption(plain(f"{signal} cannot be measured here: it {task.skip}."))
    elif task is not None and measuring.status(task) in ("running", "waiting"):
        st.caption(f"{signal} is being measured in the background.")
    else:
        st.button(label, key=f"budget-measure-{signal}", on_click=measuring.measure, args=((signal,),))


def _kind(key: str, found: Candidates) -> None:
    kind, given, rows = st.session_state[key], _given(), int(found.left.sum())
    rest = {k: v for k, v in given.items() if k not in KINDS}
    if kind == "off":
        _change({})
        return
    kept = state.selection().kept if given and "budget" not in state.waiting() else round(FIRST * rows)
    tokens = round(float(found.tokens[found.left].mean()) * kept) if found.tokens is not None and rows else 0
    _change({**rest, kind: {"rows": kept, "tokens": tokens, "share": round(kept / max(1, rows), 4)}[kind]})


def _amount(now: Budget, kind: str, found: Candidates) -> None:
    value = getattr(now, kind)
    key = key_of("budget-amount", 100.0 * value if kind == "share" else value)
    if kind == "share":
        st.number_input("Per cent of the rows", 0.0, 100.0, 100.0 * value, 1.0, format="%.2f", key=key, on_change=_typed, args=(key, kind))
    else:
        step = max(1, value // 20)
        each = " of each value" if now.per and not now.quota and not now.floor else ""
        st.number_input(f"{KINDS[kind]}{each} at most", 0, None, value, step, key=key, on_change=_typed, args=(key, kind))


def _typed(key: str, kind: str) -> None:
    value = st.session_state[key]
    _change({**_given(), kind: value / 100 if kind == "share" else int(value)})


@st.cache_data(max_entries=32, show_spinner=False)
def _columns(name: str, _scores: Scores) -> list[str]:
    """Columns that a budget can be parted by: of roles, clusters, and others with few values."""
    del name
    data = _scores.dataset
    named = [str(r) for r in (Role.SOURCE, Role.LABEL, Role.LICENSE, Role.SYNTHETIC) if data.has(r)]
    clusters = [c for c in ("cluster_number", "cluster_topic_name") if c in _scores.frame.columns]
    plain_types = [c for c, kind in data.scan().collect_schema().items() if c != "row_id" and not kind.is_nested() and not kind.is_float()]
    held = {c for r in named for c in data.roles.get(Role(r), ())}
    few = data.scan().select(pl.col(c).n_unique() for c in plain_types).collect() if plain_types else pl.DataFrame()
    return [*named, *clusters, *(c for c in plain_types if c not in held and 1 < few[c][0] <= VALUES)]


@st.cache_data(max_entries=32, show_spinner=False)
def _sizes(name: str, column: str, _scores: Scores, _found: Candidates, _marked: Sequence[Review]) -> pl.DataFrame:
    """The values of a column, as people left it, among the rows that come to the budget, the most frequent first: value, rows."""
    del name
    names, code = values_of(_scores, column, _marked)
    rows = np.bincount(code[_found.left], minlength=len(names))
    return pl.DataFrame({"value": names, "rows": rows}).filter(pl.col("rows") > 0).sort(["rows", "value"], descending=[True, False])


def _per(now: Budget) -> None:
    measured = state.scores()
    names = [ALL, *_columns(version(measured), measured)]
    held = now.per or ALL
    names += [held] if held not in names else []
    key = key_of("budget-per", held)
    st.selectbox("Of", names, names.index(held), key=key, on_change=_per_chosen, args=(key,), help="Quotas and floors are of the values of a column")
    if now.per is not None:
        options = {"each": "as much of each value", "parts": "quotas and floors"}
        how = "parts" if now.parted else "each"
        key = key_of("budget-how", how)
        st.selectbox("How", list(options), list(options).index(how), format_func=options.__getitem__, key=key, on_change=_how, args=(key,))


def _per_chosen(key: str) -> None:
    given = {k: v for k, v in _given().items() if k not in ("per", "quota", "floor")}
    _change(given | ({} if st.session_state[key] == ALL else {"per": st.session_state[key]}))


def _how(key: str) -> None:
    given = {k: v for k, v in _given().items() if k not in PARTS}
    _change(given | ({"quota": {OTHERS: 1.0}} if st.session_state[key] == "parts" else {}))


def said_amount(amount: float | None) -> str:
    """A quota as it is typed: "1000" rows or tokens, "40 %" of the budget."""
    return "" if amount is None else str(amount) if isinstance(amount, int) else f"{100 * amount:.10g} %"


def read_amount(text: str) -> int | float | None:
    """What was typed: a whole number, or a percentage of the budget; None where nothing was. Raises ValueError where it is neither."""
    text = text.strip().replace(",", "")
    if not text:
        return None
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else int(text)


def parts(selection: Selection) -> None:
    """A table of the values that have quotas: what each may have at most and should have at least, to be typed, and what is kept."""
    now, measured, marked = state.recipe().budget, state.scores(), state.decided().marked
    if now is None or not now.parted or now.per is None:
        return
    sizes = _sizes(
        f"{version(measured)} {hash(candidates().left.tobytes())} {hash(values_key(measured, now.per, marked))}", now.per, measured, candidates(), marked
    )
    named = [n for n in dict.fromkeys([*(now.quota or {}), *(now.floor or {})]) if n != OTHERS]
    values = [OTHERS, *dict.fromkeys([*named, *sizes["value"].head(VALUES).to_list()])]
    rows, kept = dict(sizes.iter_rows()), {} if selection.spent is None else {g.name: g.kept for g in selection.spent.groups}
    columns: dict[str, list[Any]] = {"value": values, "rows": [rows.get(v) for v in values]}
    columns |= {word: [said_amount((getattr(now, part) or {}).get(v)) for v in values] for part, word in PARTS.items()}
    table = pl.DataFrame({**columns, f"{'tokens' if now.tokens is not None else 'rows'} kept": [kept.get(v) for v in values]}, infer_schema_length=None)
    st.subheader("Quotas and floors")
    key = f"budget-parts-{hash((now.per, str(now.quota), str(now.floor)))}"
    config: dict[str, Any] = {
        name: st.column_config.NumberColumn(disabled=True, format="localized") for name in table.columns if "rows" in name or "kept" in name
    }
    config["value"] = st.column_config.TextColumn(disabled=True)
    look: dict[str, Any] = {"hide_index": True, "placeholder": "", "height": min(320, 38 + 35 * len(table))}
    st.data_editor(table, key=key, column_config=config, on_change=_parts_typed, args=(key, values), **look)
    st.caption(f"A whole number of {'tokens' if now.tokens is not None else 'rows'}, or a percentage of the budget such as 40 %. The line * is for all others.")


def _parts_typed(key: str, values: Sequence[str]) -> None:
    given = _given()
    found = {part: dict(given.get(part, {})) for part in PARTS}
    for place, typed in st.session_state[key]["edited_rows"].items():
        for part, word in PARTS.items():
            if word in typed:
                try:
                    amount = read_amount(typed[word] or "")
                except ValueError:
                    st.session_state["budget-error"] = f"{typed[word]} is neither a whole number nor a percentage"
                    return
                found[part].pop(values[int(place)], None)
                found[part] |= {} if amount is None else {values[int(place)]: amount}
    if not found["quota"] and not found["floor"]:
        found["quota"] = {OTHERS: 1.0}
    _change({**given, **found})


def _diversity(now: Budget, found: Candidates) -> None:
    by = "off" if now.diversity is None else now.diversity.by
    key = key_of("budget-diversity", by)
    told = "Facility location: every row has a kept row close to it. k-centre: no row lies far from the kept ones; it seeks out odd rows."
    st.selectbox("Diversity", list(BY), list(BY).index(by), format_func=BY.__getitem__, key=key, on_change=_by, args=(key,), help=told)
    if now.diversity is None:
        return
    stops = Stops([i / 20 for i in range(21)], lambda v: f"{v:.0%}", least=0.0, most=1.0, step=0.05)
    slide("budget-share", "From score to diversity", stops, [now.diversity.share], _shared)
    st.caption("0: the order of the score alone. 1: diversity alone.")
    signal = NEEDS[now.diversity.by]
    if signal not in state.scores().measured:
        st.caption(f"The {WORDS[signal]} not measured yet; the budget waits for {'them' if signal == 'neighbour' else 'it'}.")
        _measure(signal, f"Measure {signal}")
    elif seconds := state.choosing():
        st.caption(f"Rows are being chosen in the background, about {measuring.duration(seconds)}; until then the budget drops none.")
    elif missing := int(found.left.sum()) - _with_vector(signal, found):
        st.caption(f"{count(missing, 'rows')} have no vector; they are told apart by their score alone.")


def _with_vector(signal: str, found: Candidates) -> int:
    column = {"neighbour": "neighbour_rows", "embedding": "embedding_vector"}[signal]
    there = state.scores().once(("has", column), lambda: state.scores().vectors(signal, column).is_not_null().to_numpy())
    return int((there & found.left).sum())


def _by(key: str) -> None:
    by, given = st.session_state[key], _given()
    held = Diversity.model_validate(given.get("diversity", {}))
    _change({k: v for k, v in given.items() if k != "diversity"} | ({} if by == "off" else {"diversity": {**held.model_dump(), "by": by}}))


def _shared(limits: tuple[float, ...]) -> None:
    given = _given()
    if "diversity" in given:
        _change({**given, "diversity": {**given["diversity"], "share": min(1.0, max(0.0, limits[0]))}})
