import streamlit as st

from ui import grounding
from ui.widgets import beside, head

head("Grounding", "Which responses say what their context does not, and which measure tells it here?")
grounding.need_measures()
grounding.facts()
grounding.more()
if st.segmented_control("Look at", ["Rows", "Calibration"], default="Rows", required=True, key="grounding-view", persist_state="session") == "Rows":
    left, right = beside("grounding", 1, 3)
    with left:
        column = grounding.choose()
        limit = grounding.threshold(column)
    with right:
        grounding.picture(column, limit)
    grounding.queue(column, limit)
else:
    grounding.calibrate()
