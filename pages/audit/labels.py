from ui import labels
from ui.widgets import beside, head, need

head("Labels", "Which labels are probably wrong, and what would the other rows call those rows?")
need("label_issue")
labels.need_judged()
labels.facts()
controls, picture = beside("labels", 1, 3)
with controls:
    asked = labels.controls()
with picture:
    labels.matrix(asked)
labels.queue(asked)
