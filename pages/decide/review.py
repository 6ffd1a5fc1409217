from ui import review
from ui.widgets import beside, head, need_dataset

head("Review", "Which rows should a person read next, and what do people make of them?")
need_dataset()
left, right = beside("review", 1, 3)
with left:
    asked, name = review.controls()
with right:
    review.read_rows(asked, name)
review.more()
