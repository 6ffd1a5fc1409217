from ui import mismatch
from ui.widgets import beside, head, need_dataset

head("Mismatch", "Which rows does a reference know that the base does not, and which are off its domain?")
need_dataset()
mismatch.ask()
signal = mismatch.choose()
mismatch.facts(signal)
controls, picture = beside("mismatch", 1, 3)
with controls:
    seen = mismatch.limits(signal)
    mismatch.threshold(seen)
with picture:
    mismatch.picture(seen)
mismatch.corner_counts(seen)
mismatch.thirds(seen)
mismatch.reading(seen)
