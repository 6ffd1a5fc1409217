import streamlit as st

from ui.browsing import actions, controls, reading
from ui.rows import row_list
from ui.widgets import beside, empty, head, need_dataset

head("Rows", "What do the rows say, which of them go, and why?")
need_dataset()
positions, columns, question = controls()
if not len(positions):
    empty("No row is left", "Use fewer words, or take off a filter above.")
    st.stop()
left, right = beside("reading", 3, 2)
with left:
    chosen = row_list(positions, f"rows-{question}", columns, height=520)
    actions(positions, chosen)
with right:
    reading(chosen)
