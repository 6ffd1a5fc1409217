from ui.widgets import head, need_dataset

head("overview", "")
need_dataset()
