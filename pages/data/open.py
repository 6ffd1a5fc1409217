from ui.widgets import head, need_dataset

head("open", "")
need_dataset()
