import streamlit as st

from ui import duplicates, twins
from ui.widgets import head, need, need_dataset

head("Duplicates", "Which rows say the same thing, and what goes at each limit?")
need_dataset()
name = duplicates.kind()
need(name)
now = duplicates.shown(name)

controls, picture = st.columns([1, 3], gap="large")
with controls:
    duplicates.controls(now)
with picture:
    duplicates.picture(now)

listed, rows = st.columns([1, 1], gap="large")
with listed:
    kept = twins.kept_rows(now)
with rows:
    if kept is not None:
        twins.pair(now, kept)
