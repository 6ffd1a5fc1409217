from ui.widgets import head, need_dataset

head("map", "")
need_dataset()
