from ui import score, worth
from ui.widgets import beside, head, need_dataset

head("Score", "Which rows are worth most, and what makes up the score of each?")
need_dataset()
rank, used = score.in_force()
left, right = beside("score", 1, 1)
with left:
    score.editor()
    score.presets()
    if not used:
        score.offer()
    values = None if rank is None else score.worked_out(rank)
    if used and rank is not None:
        score.bonus(rank)
    if values is not None and rank is not None:
        score.told(rank, values.min(initial=0))
with right:
    worth.columns()
if values is not None and rank is not None:
    score.picture(values, used)
    worth.rows(rank, values)
