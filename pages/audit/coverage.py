from ui import coverage
from ui.widgets import beside, head, need_dataset

head("Coverage", "What is there much of, what little, and what of a reference is not there at all?")
need_dataset()
chosen = coverage.choose()
if chosen is not None:
    left, right = beside("coverage", 3, 2)
    with left:
        coverage.bars(*chosen)
    with right:
        coverage.in_words(*chosen)
coverage.lacking()
found = coverage.gaps_against()
if found is not None:
    coverage.gap_rows(*found)
