from ui.row import alike, chosen_row, decisions, facts, places
from ui.rows import row_text, why_dropped
from ui.way import its_way
from ui.widgets import beside, head, need_dataset

head("One row", "What is known of this row, and what happens to it?")
need_dataset()
position = chosen_row()
left, right = beside("row", 5, 3)
with left:
    row_text(position)
with right:
    decisions(position)
    why_dropped(position)
    facts(position)
its_way(position)
places(position)
alike(position)
