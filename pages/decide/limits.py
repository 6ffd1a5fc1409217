from ui import judging
from ui.widgets import beside, head, need_dataset

head("Judge a limit", "Of what a limit drops, how much is bad, and how much of what is bad does it drop?")
need_dataset()
column = judging.choose()
controls, picture = beside("judged", 1, 3)
with controls:
    limit = judging.controls(column)
left, right = beside("judging", 3, 2)
with left:
    found = judging.judge(column, limit)
with right:
    judging.told(column, limit, found)
with picture:
    judging.picture(column, limit, found)
