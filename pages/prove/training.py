from ui import training
from ui.widgets import head

head("Training", "How does a training go on each domain, and where did it get worse?")
training.add()
training.live()
