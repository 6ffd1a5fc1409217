from ui import budget, state
from ui.boundary import boundary, outcome
from ui.frontier import frontier
from ui.widgets import beside, head, need_dataset

head("Budget", "How many rows are worth keeping, of what, and where does the budget cut?")
need_dataset()
found, selection = budget.candidates(), state.selection()
budget.say_order(found)
left, right = beside("budget", 1, 3)
with left:
    budget.controls(found)
    outcome(selection)
with right:
    frontier(selection)
    budget.parts(selection)
boundary(selection)
