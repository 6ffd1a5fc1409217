from pathlib import Path

import streamlit as st

from ui import formats, hub, person, shipping, state
from ui.escape import plain
from ui.gate import gate
from ui.widgets import beside, count, head, need_dataset, share

head("Export", "Take the kept rows away, with everything that it takes to get them again.")
need_dataset()
selection, recipe, measured = state.selection(), state.full_recipe(), state.scores()
pending = state.waiting()
name = Path(measured.dataset.name).stem

if pending:
    st.warning("Not measured yet, so the export would fail: " + plain("; ".join(pending.values())), icon=":material/hourglass:")

left = [t.signal.name.replace("_", " ") for t in state.unused() if not t.skip]
if left:
    st.caption(f"Not measured, so neither in the files nor in the recipe below: {', '.join(left)}.")

if recipe.personal is not None:
    st.caption(f"Personal data: {recipe.personal.treat}. The page Personal data shows what that does; the manifest says what was done.")

if not selection.kept:
    st.warning("No row is kept: the files would be empty. Loosen a threshold, or undo.", icon=":material/filter_alt_off:")

may = not pending and gate() and person.may("ship")

files, again = beside("export", 1, 2)
with files:
    st.subheader(f"{count(selection.kept)} rows")
    st.caption(f"{share(selection.kept, selection.rows)} of {count(selection.rows)}. Every original column with its type, then row_id and the scores.")
    formats.choose()
    at_once = selection.rows <= shipping.AT_ONCE
    if at_once and may:
        formats.downloads(measured, recipe, name)
    if not at_once:
        st.caption(f"Above {count(shipping.AT_ONCE, 'rows')} the files are written to disk, not through the browser: write a Version.")
    st.button("Write a Version to disk", icon=":material/save:", on_click=shipping.write_version, width="stretch", disabled=not may, help="In the background")
with again:
    st.subheader("The same rows without a browser")
    st.code(shipping.command(), language="bash", wrap_lines=True)
    with st.expander("The recipe", expanded=True):
        st.code(shipping.recipe_text(), language="yaml", height=330)
    st.download_button("Download the recipe", shipping.recipe_text(), f"{name}.yaml", "application/yaml", icon=":material/description:", on_click="ignore")

written = shipping.versions()
told = f"Versions in this workspace: {count(len(written))}" if written else "Versions: none written yet"
st.page_link("pages/ship/versions.py", label=told, icon=":material/account_tree:")
if written:
    hub.offer(str(written[-1].folder))
