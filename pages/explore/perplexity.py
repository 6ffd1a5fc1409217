import streamlit as st

from ui.perplexity import control, density, distribution, facts, has_responses, reading, tails
from ui.widgets import head, need

head("Perplexity", "Which responses surprise the model, and which are too easy?")
need("perplexity")
facts()
controls, picture = st.columns([1, 3], gap="large")
with controls:
    name, limit = control()
with picture:
    distribution(name, limit)
if has_responses():
    left, right = st.columns([3, 2], gap="large")
    with left:
        density()
    with right:
        reading()
tails(name)
