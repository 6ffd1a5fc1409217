from ui import conflicts, duplicates
from ui.widgets import head, need, need_dataset

head("Conflicts", "Which rows say the same thing and are labelled or answered differently, and what holds?")
need_dataset()
name = duplicates.kind()
need(name)
now = duplicates.shown(name)
said = conflicts.need_claims(now)
conflicts.queue(now, said, conflicts.controls(now, said))
