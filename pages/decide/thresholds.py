import streamlit as st

from ui import state, thresholds
from ui.funnel import funnel
from ui.widgets import head, need_dataset

head("Thresholds", "Which rows does each score drop, and where should its limit be?")
need_dataset()
measured, selection = state.scores(), state.selection()

funnel(selection)
st.page_link("pages/explore/duplicates.py", label="Duplicates have a page of their own", icon=":material/content_copy:")

groups = thresholds.chosen(measured)
if groups:
    thresholds.cards(measured, selection, groups)
else:
    thresholds.none_shown()
