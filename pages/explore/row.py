from ui.widgets import head, need_dataset

head("row", "")
need_dataset()
