from ui import ledger
from ui.widgets import beside, head

head("Ledger", "Which decisions did each row of a Version's input meet, and what came of them?")
book = ledger.choose()
if book is not None:
    left, right = beside("ledger", 2, 3)
    with left:
        wanted = ledger.funnel(book)
        selected = ledger.rows_of(book, wanted)
    with right:
        ledger.one_row(book, selected)
