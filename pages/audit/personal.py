from ui import personal
from ui.widgets import beside, head, need

head("Personal data", "Which rows hold personal data, keys or passwords, and what is done about it in an export?")
need("pii")
personal.need_findings()
personal.facts()
picture, controls = beside("personal", 1, 1)
with picture:
    personal.kinds()
with controls:
    treat = personal.controls()
personal.queue(treat)
