from ui import sides
from ui.widgets import beside, head, need_dataset

head("Compare recipes", "Which rows does only one of two selections keep, and how do the kept rows differ?")
need_dataset()
found = sides.choose()
if found is not None:
    sides.counts(found)
    left, right = beside("compare", 3, 2)
    with left:
        sides.shifts(found)
    with right:
        sides.groups(found)
    sides.rows(found)
