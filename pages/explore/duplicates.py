from ui.widgets import head, need_dataset

head("duplicates", "")
need_dataset()
