from functools import partial

import streamlit as st

from ui import opening, state
from ui.person import allowed
from ui.roles import roles_form
from ui.tour import again
from ui.widgets import amount, attempt, count, head

head("Open", "Which rows do you want to work on, and what is each column for?")

left, right = st.columns([3, 2], gap="large")
with left:
    with st.form("open", border=True):
        path = st.text_input(
            "File, folder, pattern or hub name",
            placeholder="data/train.jsonl, data/*.parquet, owner/name, recipe.yaml",
            help="JSONL, JSON, CSV, TSV, Parquet, Arrow, gzip or zstd of those, a saved Hugging Face dataset, a hub name, or a Curate recipe",
        )
        aside = st.toggle("Set bad lines aside", help="Lines that cannot be read go to rejected.jsonl, counted. Off: opening stops at the first one.")
        asked = st.form_submit_button("Open", type="primary", icon=":material/folder_open:") and path.strip()
    if asked and attempt(partial(opening.open_path, path.strip(), "aside" if aside else "stop")):
        st.rerun()
    files = st.file_uploader("Or from this computer", accept_multiple_files=True, key="upload", help="Kept in the workspace, in the folder uploads")
    if files and st.button("Open the uploaded files", icon=":material/upload_file:") and allowed("open"):
        kept = [str(opening.keep_upload(state.workspace(), f.name, f.getvalue())) for f in files]
        if attempt(partial(opening.open_path, kept[0] if len(kept) == 1 else kept, "aside" if aside else "stop")):
            st.rerun()
    if broken := opening.failed():
        job, paths = broken
        st.error("The dataset was not opened.", icon=":material/error:")
        st.code(job.message or "The process that read it ended without a word; it may have run out of memory.", language=None, wrap_lines=True)
        if "--bad-lines stop" in " ".join(job.args) and "aside" in job.message:
            st.button("Set bad lines aside and open", on_click=partial(opening.open_path, paths, "aside"), icon=":material/playlist_remove:")
    elif (reading := opening.opening()) is not None:
        st.info(f"Opening: {amount(reading.progress)} {'checked' if reading.progress.stage == 'hash' else 'read'} so far.", icon=":material/progress_activity:")
with right:
    st.markdown("**In this workspace**")
    known = opening.known()
    if not known:
        st.caption("Nothing has been opened here yet.")
    for data in known[:12]:
        with st.container(horizontal=True, border=True, vertical_alignment="center"):
            st.text(f"{data.name}\n{count(data.rows, 'rows')}")
            st.space("stretch")
            now = st.session_state.get("dataset") == data.key
            st.button("In hand" if now else "Open", key=f"known-{data.key}", disabled=now, on_click=state.open_key, args=(data.key,))

again()
if state.dataset() is not None:
    st.subheader("Roles")
    st.caption("Recognised from names, types and values. Correct what is wrong: signals read the columns that have these roles.")
    roles_form()
