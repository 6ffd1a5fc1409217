from ui import keeping
from ui.widgets import head

head("Workspace", "What is kept on disk, what of it does nothing use any more, and how does it move?")
keeping.kept()
keeping.moving()
