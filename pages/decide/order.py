import streamlit as st

from ui import order
from ui.widgets import attempt, beside, head, need_dataset

head("Order", "In which order should rows be trained on, and what does the trainer see over time?")
need_dataset()
left, right = beside("order", 1, 3)
with left:
    order.switch()
    now = order.controls()
shown: list[order.Seen] = []
with right:
    if attempt(lambda: shown.append(order.seen(now))):
        order.picture(shown[0])
if shown:
    st.subheader("The rows in this order")
    order.rows(shown[0])
