import streamlit as st

from curate.weighting import Weighted
from ui import weights
from ui.widgets import attempt, beside, head, need_dataset

head("Weights", "How much should each row count, and what are the rows worth then?")
need_dataset()
left, right = beside("weights", 1, 3)
with left:
    weights.switch()
    weights.controls()
found: list[Weighted] = []
with right:
    if not weights.wait() and attempt(lambda: found.append(weights.weighted())):
        weights.facts(found[0])
        weights.picture(found[0])
        weights.factors(found[0])
if found:
    st.subheader("The rows by weight")
    weights.rows(found[0])
