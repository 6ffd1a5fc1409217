from ui.widgets import head, need_dataset

head("perplexity", "")
need_dataset()
