from ui.map import cluster_bars, controls, has_places, partial_state, picture
from ui.widgets import head, need

head("Map", "What is in this dataset, and where do the dropped rows lie?")
need("projection", "cluster")
partial_state()
if has_places():
    picture(controls())
else:
    cluster_bars()
