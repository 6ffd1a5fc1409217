import streamlit as st

from ui import version_diff, versions
from ui.widgets import empty, head

head("Versions", "What was exported, what each Version comes from, and which decision changed which row from one to the next.")
nodes = versions.known()
versions.broken()
if not nodes:
    empty("No Version yet", "A Version is a folder with the rows, every decision, the recipe and a manifest of hashes. The page Export writes one.")
    st.page_link("pages/ship/export.py", label="Export", icon=":material/download:")
    st.stop()
chosen = versions.choose(nodes)
versions.picture(nodes)
versions.about(chosen, nodes)
versions.act(chosen)
versions.files(chosen.version)
found = version_diff.against(chosen, nodes)
if found is not None:
    version_diff.counts(found)
    version_diff.decisions(found)
    version_diff.rows(found)
