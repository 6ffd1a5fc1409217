from ui import licences
from ui.widgets import beside, head, need_dataset

head("Licences", "Under which terms do these rows stand, which may be used as you mean to, and where do copies contradict each other?")
need_dataset()
licences.given()
left, right = beside("licences", 1, 3)
with left:
    licences.policy()
with right:
    chosen = licences.counts()
licences.listed(chosen)
licences.contradictions()
