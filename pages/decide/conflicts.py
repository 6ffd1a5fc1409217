import streamlit as st

from ui import conflicts, duplicates
from ui.widgets import beside, head, need, need_dataset

head("Conflicts", "Which rows say the same thing and are labelled or answered differently, and what holds?")
need_dataset()
name = duplicates.kind()
need(name)
now = duplicates.shown(name)
said = conflicts.need_claims(now)
left, right = beside("conflicts", 1, 3)
with left:
    found = conflicts.controls(now, said)
    st.page_link("pages/explore/duplicates.py", label="Limit, rule and keeper", icon=":material/content_copy:")
with right:
    conflicts.queue(now, said, found)
