from ui.perplexity import control, density, distribution, facts, has_responses, need_values, reading, tails
from ui.widgets import beside, head, need

head("Perplexity", "Which responses surprise the model, and which are too easy?")
need("perplexity")
need_values()
facts()
controls, picture = beside("perplexity", 1, 3)
with controls:
    name, limit = control()
with picture:
    distribution(name, limit)
if has_responses():
    left, right = beside("density", 3, 2)
    with left:
        density()
    with right:
        reading()
tails(name)
