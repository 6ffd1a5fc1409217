from ui import contamination
from ui.widgets import beside, head, need, need_dataset

head("Contamination", "Which rows hold rows of an evaluation set, and how much of that set no longer tests anything?")
need_dataset()
contamination.files()
need("contamination")
left, right = beside("contamination", 1, 3)
with left:
    asked = contamination.controls()
with right:
    contamination.picture(asked)
contamination.evidence(asked)
