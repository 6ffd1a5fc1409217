from ui.widgets import head, need_dataset

head("thresholds", "")
need_dataset()
