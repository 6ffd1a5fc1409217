import streamlit as st

from curate.synthetic.review import reading
from ui import synthetic, synthetic_reading
from ui.drift import drift_picture
from ui.entrance import entrance
from ui.widgets import beside, head, need_dataset

head("Synthetic rows", "Which generated rows may enter, why not the others, and does the dataset stay as various?")
need_dataset()
batch = synthetic.choose()
gated = synthetic.gate_of(batch)
read = reading(batch, gated)
synthetic.facts(batch, gated, read)
gate, people, drift = st.tabs(["Gate", "Reading", "Drift"], key="synthetic-tabs", on_change="rerun")
with gate:
    left, right = beside("synthetic", 2, 3)
    with left:
        synthetic_reading.waiting(batch, read)
        synthetic.limits(batch)
        synthetic.picture(gated)
    with right:
        synthetic.refused(batch, gated)
if people.open:
    with people:
        synthetic_reading.read_by_key(batch, read)
with drift:
    drift_picture(gated.drift)
entrance(batch, gated, read)
