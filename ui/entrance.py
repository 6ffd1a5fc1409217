"""How generated rows enter: what waits for it, what would enter or did, and the way on to the dataset with them."""

from __future__ import annotations

import streamlit as st

from curate.rate import percent
from curate.synthetic.accept import accept, accepted_of, stale
from curate.synthetic.batch import Batch
from curate.synthetic.gate import Gated
from curate.synthetic.review import Reading
from ui import opening, state
from ui.person import allowed
from ui.widgets import attempt, count

__all__ = ["entrance"]


def entrance(batch: Batch, gated: Gated, read: Reading) -> None:
    """What would enter, or what did, and the way on."""
    done = accepted_of(batch)
    if done is not None:
        st.markdown(f"**{count(done.rows, 'rows')} of this batch are accepted**")
        over = [f"{count(n, 'rows')} of {name} were over the cap" for name, n in done.over.items()]
        st.text(" · ".join([done.said, *over]))
        if done.beside:
            st.text(f"Rows accepted earlier, of the {'batch' if len(done.beside) == 1 else 'batches'} {', '.join(done.beside)}, are listed too.")
        st.text("They are a file of their own, listed beside the dataset's. Open both to measure, decide and export with them; marks and limits come along.")
        st.button("Open the dataset with these rows", on_click=_open, args=(done.recipe,), type="primary", key="synthetic-open", icon=":material/folder_open:")
        return
    admission = gated.admission
    per = f" of each {admission.per}" if admission.per != "all" else ""
    why = stale(state.scores(), state.recipe(), batch, gated)
    if read.state == "refused":
        st.error(f"The whole batch is refused: {read.said}. Its rows keep their reasons; change the prompts and grow again.", icon=":material/block:")
        return
    waits = f"check again first: {why}" if why else f"{count(len(read.left), 'drawn rows')} are still to be read" if read.left else ""
    waits = waits or ("" if read.state == "good enough" else "no pass rate is known")
    st.text(
        f"Rows that pass and that no reader found bad enter, up to {percent(admission.share, 0)}{per}, then and after thresholds and budget."
        + (f" Not yet: {waits}." if waits else "")
    )
    st.button("Accept these rows", on_click=_accept, args=(batch,), disabled=bool(waits), type="primary", key="synthetic-accept", icon=":material/check:")


def _accept(batch: Batch) -> None:
    data = state.dataset()
    if data is None or not allowed("decide"):
        return
    now = state.recipe()
    now = now.model_copy(update={"dataset": now.dataset.model_copy(update={"bad_lines": data.bad_lines})})
    attempt(lambda: accept(state.scores(), now, batch, state.workspace().reviews(data.fingerprint)))


def _open(recipe: str) -> None:
    attempt(lambda: opening.open_path(recipe))
