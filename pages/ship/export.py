from ui.widgets import head, need_dataset

head("export", "")
need_dataset()
