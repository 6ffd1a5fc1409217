"""The app: `curate app` starts it. Page config, navigation, and the frame round every page."""

from pathlib import Path

import streamlit as st

from ui.door import entered
from ui.frame import frame
from ui.opening import begin
from ui.person import let_in
from ui.run import one_run
from ui.tour import tour

st.set_page_config(page_title="Curate", page_icon=str(Path(__file__).parent / "ui" / "icon.png"), layout="wide")

page = st.navigation(
    {
        "Data": [
            st.Page("pages/data/overview.py", title="Overview", icon=":material/dashboard:", default=True),
            st.Page("pages/data/open.py", title="Open", icon=":material/folder_open:", url_path="open"),
        ],
        "Explore": [
            st.Page("pages/explore/map.py", title="Map", icon=":material/scatter_plot:", url_path="map"),
            st.Page("pages/explore/duplicates.py", title="Duplicates", icon=":material/content_copy:", url_path="duplicates"),
            st.Page("pages/explore/perplexity.py", title="Perplexity", icon=":material/equalizer:", url_path="perplexity"),
            st.Page("pages/explore/rows.py", title="Rows", icon=":material/table_rows:", url_path="rows"),
            st.Page("pages/explore/row.py", title="One row", icon=":material/article:", url_path="row"),
        ],
        "Audit": [
            st.Page("pages/audit/noise.py", title="Noise rate", icon=":material/percent:", url_path="noise"),
            st.Page("pages/audit/labels.py", title="Labels", icon=":material/label:", url_path="labels"),
            st.Page("pages/audit/annotators.py", title="Annotators", icon=":material/groups:", url_path="annotators"),
            st.Page("pages/audit/grounding.py", title="Grounding", icon=":material/anchor:", url_path="grounding"),
            st.Page("pages/audit/mismatch.py", title="Mismatch", icon=":material/difference:", url_path="mismatch"),
            st.Page("pages/audit/coverage.py", title="Coverage", icon=":material/donut_large:", url_path="coverage"),
            st.Page("pages/audit/licences.py", title="Licences", icon=":material/gavel:", url_path="licences"),
            st.Page("pages/audit/contamination.py", title="Contamination", icon=":material/science:", url_path="contamination"),
            st.Page("pages/audit/personal.py", title="Personal data", icon=":material/fingerprint:", url_path="personal"),
        ],
        "Decide": [
            st.Page("pages/decide/score.py", title="Score", icon=":material/functions:", url_path="score"),
            st.Page("pages/decide/budget.py", title="Budget", icon=":material/data_usage:", url_path="budget"),
            st.Page("pages/decide/thresholds.py", title="Thresholds", icon=":material/tune:", url_path="thresholds"),
            st.Page("pages/decide/limits.py", title="Judge a limit", icon=":material/rule_settings:", url_path="limits"),
            st.Page("pages/decide/review.py", title="Review", icon=":material/rate_review:", url_path="review"),
            st.Page("pages/decide/conflicts.py", title="Conflicts", icon=":material/call_split:", url_path="conflicts"),
            st.Page("pages/decide/synthetic.py", title="Synthetic rows", icon=":material/auto_awesome:", url_path="synthetic"),
            st.Page("pages/decide/order.py", title="Order", icon=":material/sort:", url_path="order"),
            st.Page("pages/decide/weights.py", title="Weights", icon=":material/balance:", url_path="weights"),
            st.Page("pages/decide/compare.py", title="Compare recipes", icon=":material/compare_arrows:", url_path="compare"),
        ],
        "Prove": [
            st.Page("pages/prove/probes.py", title="Probes", icon=":material/experiment:", url_path="probes"),
            st.Page("pages/prove/curve.py", title="Learning curve", icon=":material/show_chart:", url_path="curve"),
            st.Page("pages/prove/training.py", title="Training", icon=":material/monitoring:", url_path="training"),
            st.Page("pages/prove/influence.py", title="Influence", icon=":material/bolt:", url_path="influence"),
        ],
        "Ship": [
            st.Page("pages/ship/export.py", title="Export", icon=":material/download:", url_path="export"),
            st.Page("pages/ship/versions.py", title="Versions", icon=":material/account_tree:", url_path="versions"),
            st.Page("pages/ship/ledger.py", title="Ledger", icon=":material/receipt_long:", url_path="ledger"),
            st.Page("pages/ship/workspace.py", title="Workspace", icon=":material/folder_managed:", url_path="workspace"),
        ],
    },
    position="sidebar" if let_in() else "hidden",
)

with one_run():
    if entered():
        begin()
        frame()
        tour(page.url_path)
        page.run()
