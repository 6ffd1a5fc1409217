from ui import noise
from ui.widgets import beside, head, need_dataset

head("Noise rate", "What share of the rows is bad, in which slice, how sure is that, and what are the rest worth?")
need_dataset()
noise.begin()
left, right = beside("noise", 2, 3)
with left:
    noise.hand()
with right:
    noise.rates()
noise.value()
noise.report()
