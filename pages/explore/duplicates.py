import streamlit as st

from ui import duplicates, twins
from ui.reference import compare
from ui.widgets import beside, head, need, need_dataset

head("Duplicates", "Which rows say the same thing, and what goes at each limit?")
need_dataset()
name = duplicates.kind()
need(name)
now = duplicates.shown(name)

controls, picture = beside("picture", 1, 3)
with controls:
    duplicates.controls(now)
    st.page_link("pages/decide/conflicts.py", label="Where alike rows disagree", icon=":material/call_split:")
with picture:
    duplicates.picture(now)

listed, rows = beside("rows", 1, 1)
with listed:
    kept = twins.kept_rows(now)
with rows:
    if kept is not None:
        twins.pair(now, kept)

compare()
