import streamlit as st

from ui.overview import columns, counts_chart, facts, newness, next_steps, problems, signals_table
from ui.presets import start_from
from ui.widgets import beside, empty, head, need_dataset

head("Overview", "What is in this dataset, and what is already known about it?")
need_dataset()
facts()
with st.popover("Start from a preset", icon=":material/rocket_launch:", key="presets", on_change="rerun") as presets:
    if presets.open:
        start_from()

found = problems()
if found:
    st.subheader("Found while reading")
    for sentence in found:
        st.text(f"• {sentence}")

steps = next_steps()
if steps:
    st.subheader("What would help")
    words, curve = beside("steps", 3, 2)
    with words:
        for sentence in steps:
            st.text(f"• {sentence}")
    with curve:
        newness()

left, right = st.columns(2, gap="large")
with left:
    drawn = [counts_chart("role", "source", "source"), counts_chart("role", "label", "label"), counts_chart("role", "split", "split")]
with right:
    drawn += [counts_chart("role", "license", "licence"), counts_chart("score", "text_quality_language", "language")]
if not any(drawn):
    empty(
        "Nothing to count by yet",
        "No column has the role source, label, split or license, and languages are not measured. Roles are corrected on the page Open.",
    )

st.subheader("Signals")
signals_table()

st.subheader("Columns")
st.dataframe(
    columns(),
    hide_index=True,
    column_config={"missing": st.column_config.NumberColumn(format="localized"), "example": st.column_config.TextColumn("first value", width="large")},
)
