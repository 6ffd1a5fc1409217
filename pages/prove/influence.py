from ui import influence
from ui.widgets import beside, head

head("Influence", "Which rows help or harm what is learnt of each validation domain, and which validation rows do they touch?")
influence.ask()
controls, picture = beside("influence", 1, 3)
with controls:
    seen = influence.choose()
with picture:
    influence.facts(seen)
    influence.picture(seen)
influence.reading(seen)
