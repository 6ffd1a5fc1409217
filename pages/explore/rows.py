from ui.widgets import head, need_dataset

head("rows", "")
need_dataset()
