import streamlit as st

from ui import curve, curve_start
from ui.widgets import head, need_dataset

head("Learning curve", "What would more rows buy, when is it enough, and is it better to clean the rows that are there?")
need_dataset()
found = curve.known()
if not found:
    curve_start.waiting()
    curve_start.begin()
    st.stop()
now = curve.choose(found)
curve_start.waiting()
if now is not None:
    curve.numbers(now)
    curve.picture(now)
    curve.words(now)
    curve.points(now)
curve_start.another()
